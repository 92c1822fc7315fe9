"""What a statement compares with the time is stable: PostgreSQL uses no index for a comparison with a volatile one."""

import importlib
import re
from pathlib import Path

import pytest

CATALOG = Path(__file__).parents[3] / "tierkeeper/catalog"
#: neither SET nor VALUES: a comparison, or a condition that is made for a time
_COMPARED = re.compile(
    r"(?:[<>]=?|<>|\bBETWEEN\b[^\n]*)\s*(?:now\(\)\s*[-+][^\n]*)?clock_timestamp"
    r"|clock_timestamp\(\)(?:\s*[-+]\s*[\w:.]+)?\s*(?:[<>]=?|BETWEEN)"
    r"|\bAND\s+clock_timestamp"
    r"|\b(?:due|unleased)\(\"clock_timestamp"
)
_EXPRESSION = "sa.func.clock_timestamp()"


def _texts(module: str) -> dict[str, str]:
    values = vars(importlib.import_module(f"tierkeeper.catalog.{module}"))
    texts = {name: getattr(value, "text", value) for name, value in values.items() if not isinstance(value, type)}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


@pytest.mark.parametrize(
    ("text", "volatile"),
    [
        ("WHERE due_at <= clock_timestamp()", True),
        ("WHERE at BETWEEN clock_timestamp() - :a AND clock_timestamp()", True),
        ("WHERE seen_at NOT BETWEEN :since\n    AND clock_timestamp() + :b", True),
        ("WHERE clock_timestamp() - at > :age", True),
        ('WHERE {due("clock_timestamp()")}', True),
        ("SET due_at = clock_timestamp() + :lease WHERE due_at <= statement_timestamp()", False),
        ("VALUES (:name, clock_timestamp(), :sent_at)", False),
    ],
)
def test_the_check_tells_a_comparison_from_a_value(text: str, *, volatile: bool) -> None:
    """A volatile time is written, and never compared."""
    assert (_COMPARED.search(text) is not None) is volatile


def test_no_statement_compares_with_a_volatile_time() -> None:
    """No statement of the catalog, and no expression, compares with ``clock_timestamp()``."""
    modules = sorted(path.stem for path in CATALOG.glob("[!_]*.py"))
    texts = {f"{module}.{name}": text for module in modules for name, text in _texts(module).items()}
    texts |= {path.name: path.read_text() for path in CATALOG.glob("[!_]*.py")}
    assert sum("clock_timestamp" in text for text in texts.values()) > 20
    assert [name for name, text in texts.items() if _COMPARED.search(text)] == []
    expressions = [path.name for path in CATALOG.glob("*.py") if _EXPRESSION in path.read_text()]
    assert expressions == ["database.py"], "only `catalog_now` reads the clock by itself"
