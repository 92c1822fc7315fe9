"""A transaction reads its moment after its locks: held over the source, function by function."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOMENTS = {"catalog_now", "clocks", "Moment.read"}
#: what waits for rows or tenants; of the brake's own locks a commit takes the last after its moment, see
#: `tierkeeper/engine/moment.py`
LOCKS = {"blobs.take", "artifacts.take_names", "artifacts.lock_only", "runs.lock_for_approval"}
LOCKS |= {"brake_counts.open_alone"}
LOCKS |= {f"{table}.lock" for table in ("blobs", "artifacts", "schedule", "epochs", "policies", "quarantine")}
LOCKS |= {"deliveries.lock", "placements.lock"}

Functions = Mapping[str, ast.FunctionDef]


def order(node: ast.AST, functions: Functions, entered: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield ``lock`` and ``moment`` as they come in the source; functions of the same module are entered."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield from order(child, functions, entered)
    if not isinstance(node, ast.Call):
        return
    name = ast.unparse(node.func)
    if name in MOMENTS:
        yield "moment"
    elif name in LOCKS or any(key.arg == "lock" and ast.unparse(key.value) == "True" for key in node.keywords):
        yield "lock"
    elif name in functions and name not in entered:
        yield from order(functions[name], functions, entered | {name})


def judged(code: str) -> dict[str, bool]:
    """Whether each function that takes locks and reads a moment reads the last one after the last lock."""
    tree = ast.parse(code)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = {name: list(order(node, functions)) for name, node in functions.items()}
    return {name: each[-1] == "moment" for name, each in found.items() if {*each} == {"lock", "moment"}}


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("def unit(c):\n    blobs.lock(c, [])\n    now = catalog_now(c)", True),
        ("def unit(c):\n    now = catalog_now(c)\n    blobs.lock(c, [])", False),
        ("def unit(c):\n    moment = Moment.read(c, e)\n    row = identity.read(c, lock=True)", False),
        (
            "def unit(c):\n    now = clocks(c)\n    if now:\n        write(c)\ndef write(c):\n    schedule.lock(c, [])",
            False,
        ),
        ("def unit(c):\n    p = Moment.read(c, e)\n    schedule.lock(c, [])\n    moment = Moment.read(c, e)", True),
        ("def unit(c):\n    blobs.lock(c, [])\n    now = catalog_now(c)\n    artifacts.lock(c, [])", False),
    ],
)
def test_the_check_sees_the_order(code: str, *, right: bool) -> None:
    """It sees what comes first, in the functions that are called, too."""
    assert judged(code)["unit"] is right


def test_moments_are_read_after_locks() -> None:
    """No function of engine, catalog or keeper takes a lock after the moment by which it decides."""
    rooms = [ROOT / "tierkeeper" / room for room in ("engine", "catalog", "keeper")]
    found = {
        f"{path.relative_to(ROOT)} {name}": right
        for room in rooms
        for path in sorted(room.rglob("*.py"))
        for name, right in judged(path.read_text()).items()
    }
    assert len(found) > 25
    assert not [name for name, right in found.items() if not right]
