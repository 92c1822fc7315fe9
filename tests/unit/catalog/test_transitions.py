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
    ("runs", "_FINISH"): {RunState.DONE, RunState.AWAITING_APPROVAL},
    ("runs", "_DECIDE"): {RunState.APPROVED, RunState.REJECTED},
}
#: statements that are no text, by function: what they insert. Others change no state
INSERTED: dict[tuple[str, str], set[StrEnum]] = {
    ("placements", "intend"): {PlacementState.COPYING},
    ("placements", "add_present"): {PlacementState.PRESENT, PlacementState.DOOMED},
    ("runs", "_insert"): {RunState.RUNNING, RunState.AWAITING_APPROVAL},
    ("artifacts", "insert"): {ArtifactState.LIVE},
}
#: what writes columns of locked artifacts; which states, is decided by change.of_artifact and the wishes, and held
#: against their table by tests/unit/engine/converge/test_change.py
OF_ARTIFACTS = {("artifacts", "write_decided"), ("artifacts", "write_asked")}

#: the tables with a state, as the models name them
MODELS = {"PLACEMENTS", "RUNS", "ARTIFACTS"}
INSERTING = re.compile(r"\bINSERT INTO (placements|runs|artifacts)\b")
CHANGING = re.compile(r"\b(?:UPDATE|DELETE FROM) (placements|runs|artifacts)\b")
SET = re.compile(r"(?:\bSET|,)\s*state\s*=\s*(?:'([\w ]+)'|(:state|w\.state)|)")
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
        assert change[1] or change[2], f"{module}.{name} sets a state that is neither named nor an argument"
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


def expressed() -> set[tuple[str, str]]:
    """The functions that insert or update rows with a state by the expression language or as a recordset."""
    return {(path.stem, name) for path in CATALOG.glob("*.py") for name in writing(path.read_text())}


def writing(code: str) -> set[str]:
    """The functions of a module that write a table with a state, and what it does so outside of them."""
    tree = ast.parse(code)
    tables = {name for models in map(_constants, tree.body) for name in models} | MODELS
    found = set()
    for each in tree.body:
        functions = [f for f in ast.walk(each) if isinstance(f, ast.FunctionDef)]
        name = functions[0].name if functions else "the module"
        found |= {name for node in ast.walk(each) if _writes(node, tables)}
    return found


def _constants(node: ast.stmt) -> set[str]:
    """The names that a module gives to a table or an alias of it."""
    match node:
        case ast.Assign(targets=targets, value=ast.expr() as value) if _named(value) & MODELS:
            return set().union(*map(_named, targets))
        case ast.AnnAssign(target=target, value=ast.expr() as value) if _named(value) & MODELS:
            return _named(target)
    return set()


def _writes(node: ast.AST, tables: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func).rpartition(".")[2]
    given = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
    return called in {"insert", "update", "delete"} and any(_named(each) & tables for each in given)


def _named(node: ast.AST) -> set[str]:
    """All names and attributes in an expression."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


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
    assert not [path.name for path in CATALOG.glob("*.py") if INSERTING.search(path.read_text())]
    assert expressed() == set(INSERTED) | OF_ARTIFACTS


@pytest.mark.parametrize(
    "code",
    [
        "sa.update(RUNS)",
        "sa.update(run.RUNS)",
        "update(table=RUNS)",
        "RUNS.update()",
        "recordset.insert(connection, table=RUNS, rows=rows)",
        "ENDED.update()",
    ],
)
def test_a_written_table_is_seen(code: str) -> None:
    """However the table is named, by a function or outside of one."""
    assert writing(f"ENDED = RUNS.alias()\ndef end():\n    {code}") == {"end"}
    assert writing(f"ENDED = RUNS.alias()\n_END = {code}") == {"the module"}


def test_a_statement_without_its_state_is_seen() -> None:
    """A change of state that does not say from which is refused, and one that the table lacks is found."""
    with pytest.raises(AssertionError, match="does not name the state"):
        rows("runs", "_MINE", "UPDATE runs SET state = 'done' WHERE id = :id")
    for text in (
        "UPDATE placements SET state = 'deleting' WHERE state = 'present'",
        "UPDATE placements SET damaged_at = NULL, state = 'deleting' WHERE state = 'present'",
        "UPDATE placements SET token = :token,\n state='deleting' WHERE state = 'present'",
    ):
        (wrong,) = rows("placements", "_MINE", text)
        assert wrong not in transitions.PLACEMENT
    with pytest.raises(AssertionError, match="neither named nor an argument"):
        rows("runs", "_MINE", "UPDATE runs SET state = lower(:given) WHERE state = 'running'")
