"""Tables in a narrow terminal: nothing is cut, whatever the table."""

import ast
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console
from rich.table import Table

import tierkeeper.cli
from tierkeeper.cli.support import output
from tierkeeper.cli.support.statistics import tier_table
from tierkeeper.cli.support.tables import REFERENCES
from tierkeeper.values.tiers import TierStats

WIDTH = 80
ID = str(UUID(int=2**127 + 5))
SENTENCE = "it was not found, and is looked for again when the quarantine is over, in two days at the latest"


def printed(made: Table, width: int = WIDTH) -> str:
    """What a table looks like."""
    stream = io.StringIO()
    Console(file=stream, width=width).print(made)
    assert max(map(len, stream.getvalue().splitlines())) <= width
    return stream.getvalue()


def literals(node: ast.expr) -> list[str]:
    """The strings of a list, a tuple or a string; what is computed is left out."""
    parts = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def tables() -> Iterator[tuple[str, list[str], list[str]]]:
    """Every table of the command line: where it is made, its headings, and which of them fold."""
    for file in sorted(Path(tierkeeper.cli.__file__).parent.rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            named = {
                one.targets[0].id: literals(one.value)
                for one in ast.walk(function)
                if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)
            }
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "output.table":
                    headings: list[str] = []
                    for one in call.args:
                        if isinstance(one, ast.Starred) and isinstance(one.value, ast.Name):
                            headings += named[one.value.id]
                        else:
                            headings += literals(one)
                    folded = [name for k in call.keywords if k.arg == "fold" for name in literals(k.value)]
                    yield f"{file.stem}:{call.lineno}", headings, folded


TABLES = list(tables())


def test_the_tables_are_found() -> None:
    """As many as there are."""
    assert len(TABLES) > 20
    assert {"dump", "of", "complete", "size"} in [set(headings) for _, headings, _ in TABLES]


@pytest.mark.parametrize(("headings", "folded"), [t[1:] for t in TABLES], ids=[t[0] for t in TABLES])
def test_no_table_cuts_ids_or_headings(headings: Sequence[str], folded: Sequence[str]) -> None:
    """At 80 columns every heading is whole, and so is an id in any column; longer texts take more lines.

    A reference takes one line, from which its beginning is left out.
    """
    references = REFERENCES.intersection(headings)
    for at in range(len(headings)):
        made = output.table(*headings, fold=folded)
        cells = [SENTENCE if one in folded else "12" for one in headings]
        cells[at] = ID if headings[at] not in folded else SENTENCE
        made.add_row(*cells)
        shown = printed(made)
        cut = [line for line in shown.splitlines() if "…" in line]
        assert len(cut) <= len(references), shown
        assert all("days at the latest" in line for line in cut), shown
        assert headings[at] in folded or ID in shown, shown
        assert all(word in shown for one in headings for word in one.split() if word), shown


def test_the_tiers_fit() -> None:
    """`stats` is a table at 80 columns, however full the tiers are."""
    one = TierStats(
        tier="records", temperature="hot", present=1_234_567, present_bytes=10**12, doomed=10_000, doomed_bytes=10**9,
        tenants=12, unvouched=3, missed=4,
    )  # fmt: skip
    shown = printed(tier_table([one]))
    assert "─" in shown
    assert all(word in shown for word in ("temperature", "doomed", "bytes", "unvouched", "found", "1234567")), shown


def test_what_does_not_fit_is_a_block_a_row() -> None:
    """Each heading beside its value; what is empty is left out."""
    made = output.table("dump", "of", "by")
    made.add_row(ID, "2024-01-15 08:00:00", "")
    made.add_row(ID, "x" * 50, "me")
    assert [line.split() for line in printed(made).splitlines()] == [
        ["dump:", ID],
        ["of:", "2024-01-15", "08:00:00"],
        [],
        ["dump:", ID],
        ["of:", "x" * 50],
        ["by:", "me"],
    ]


def test_a_wide_place_changes_nothing() -> None:
    """Where there is room a row is a line, and a heading too."""
    made = output.table("artifact", "copies in", "why", fold=["artifact", "why"])
    made.add_row("acme/w/a", "hot", SENTENCE)
    shown = printed(made, 240).splitlines()
    assert (shown[0].split(), len(shown), SENTENCE in shown[2]) == (["artifact", "copies", "in", "why"], 3, True)
