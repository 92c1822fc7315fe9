"""The table of switches: its statements stand in one module, and every name is in the catalog's reference."""

import re
from pathlib import Path

import tierkeeper.catalog
from tierkeeper.catalog import switches

CATALOG = Path(tierkeeper.catalog.__path__[0])
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "catalog.md"
STATEMENT = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+switches\b|\bmodels\.switch\b")


def test_one_module_has_the_statements_of_switches() -> None:
    """Whoever reads or writes a switch calls that module: its row is written in one way."""
    assert [file.stem for file in sorted(CATALOG.glob("*.py")) if STATEMENT.search(file.read_text())] == ["switches"]


def test_every_switch_is_documented() -> None:
    """The row of the table in the reference says what each name means."""
    (row,) = [line for line in REFERENCE.read_text().splitlines() if line.startswith("| `switches` |")]
    named = [value for name, value in vars(switches).items() if name[0].isupper() and isinstance(value, str)]
    assert len(named) > 6
    assert [name for name in named if f"`{name}{'' if name[-1] == ':' else '`'}" not in row] == []
