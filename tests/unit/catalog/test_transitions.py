"""The tables of states against the statements of the catalog: each follows a row, each row has a statement."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
import sqlalchemy as sa

import tierkeeper.catalog
from tierkeeper.base import transitions
from tierkeeper.base.states import ArtifactState, PlacementState, RunState

CATALOG = Path(tierkeeper.catalog.__path__[0])
TABLES: dict[str, type[StrEnum]] = {"placements": PlacementState, "runs": RunState, "artifacts": ArtifactState}
#: what a statement writes whose state is an argument
GIVEN: dict[tuple[str, str], set[StrEnum]] = {
    ("placements", "_COMMIT"): {PlacementState.PRESENT, PlacementState.DOOMED},
    ("runs", "_FINISH"): {RunState.DONE, RunState.FAILED, RunState.AWAITING_APPROVAL},
    ("runs", "_DECIDE"): {RunState.APPROVED, RunState.REJECTED},
}
#: statements that are no text, by function: what they insert. Others change no state
INSERTED: dict[tuple[str, str], set[StrEnum]] = {
    ("placements", "intend"): {PlacementState.COPYING},
    ("placements", "add_present"): {PlacementState.PRESENT, PlacementState.DOOMED},
    ("runs", "_insert"): {RunState.RUNNING, RunState.AWAITING_APPROVAL},
    ("artifacts", "insert"): {ArtifactState.LIVE},
}
#: what writes columns of locked artifacts; which states, is decided by change.of and the wishes, and tested there
OF_ARTIFACTS = {("artifacts", "write_decided"), ("artifacts", "write_asked")}

CHANGING = re.compile(r"\b(?:UPDATE|DELETE FROM) (placements|runs|artifacts)\b")
SET = re.compile(r"\bSET state = (?:'([\w ]+)'|(:state|w\.state))")
WHERE = re.compile(r"\bstate (=|IN|NOT IN) (?:'([\w ]+)'|\(([^)]*)\))")

Row = tuple[StrEnum | None, StrEnum | None]


def statements() -> Iterator[tuple[str, str, str]]:
    """Module, name and text of what changes or deletes rows that have a state."""
    for module in pkgutil.iter_modules([str(CATALOG)]):
        loaded = importlib.import_module(f"tierkeeper.catalog.{module.name}")
        for name, value in vars(loaded).items():
            if isinstance(value, sa.TextClause) and CHANGING.search(value.text):
                yield module.name, name, value.text


def rows(module: str, name: str, text: str) -> set[Row]:
    """The transitions that one statement makes; none where it leaves the state as it is."""
    states = TABLES[CHANGING.search(text)[1]]  # type: ignore[index]  # it was found before
    change = SET.search(text)
    if change is None and not CHANGING.search(text)[0].startswith("DELETE"):  # type: ignore[index]
        return set()
    after: set[StrEnum | None] = {None}
    if change is not None:
        after = {states(change[1])} if change[1] else set(GIVEN[module, name])
    named = WHERE.findall(text[text.rindex("WHERE") :])
    assert named, f"{module}.{name} does not name the state that it starts from"
    before: set[StrEnum] = set()
    for relation, one, several in named:
        listed = {states(word) for word in ([one] if one else re.findall(r"'([\w ]+)'", several))}
        before |= set(states) - listed if relation == "NOT IN" else listed
    if "finished_at <" in text:
        before -= {RunState.RUNNING}  # it has no such time
    return {(start, end) for start in before for end in after}


def orm() -> set[tuple[str, str]]:
    """The functions that insert or update rows with a state by the expression language or as a recordset."""
    found = set()
    for path in CATALOG.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and any(map(_writes, ast.walk(function))):
                found.add((path.stem, function.name))
    return found


def _writes(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"insert", "update", "delete"}
        and any(isinstance(arg, ast.Name) and arg.id in {"Placement", "Run", "Artifact"} for arg in node.args)
    )


def made(table: str) -> set[Row]:
    """Every transition that the catalog makes of one table."""
    found = {row for m, n, text in statements() if CHANGING.search(text)[1] == table for row in rows(m, n, text)}  # type: ignore[index]
    inserted = (states for (module, _), states in INSERTED.items() if module == table)
    return found | {(None, state) for states in inserted for state in states}


@pytest.mark.parametrize(("table", "allowed"), [("placements", transitions.PLACEMENT), ("runs", transitions.RUN)])
def test_the_statements_are_the_table(table: str, allowed: frozenset[Row]) -> None:
    """What the statements of the catalog do to a row's state is exactly what the table allows."""
    assert made(table) == allowed


def test_no_statement_is_missed() -> None:
    """Every text in the catalog that changes such rows is a constant of its module, and all else is known here."""
    written = sum(len(CHANGING.findall(path.read_text())) for path in CATALOG.glob("*.py"))
    assert len(list(statements())) == written
    assert written >= 29
    assert orm() == set(INSERTED) | OF_ARTIFACTS


def test_a_statement_without_its_state_is_seen() -> None:
    """A change of state that does not say from which is refused, and one that the table lacks is found."""
    with pytest.raises(AssertionError, match="does not name the state"):
        rows("runs", "_MINE", "UPDATE runs SET state = 'done' WHERE id = :id")
    (wrong,) = rows("placements", "_MINE", "UPDATE placements SET state = 'deleting' WHERE state = 'present'")
    assert wrong not in transitions.PLACEMENT
