"""A transaction reads no moment before its last lock: held over the source, function by function.

Locks are the functions of the catalog whose statements lock rows or take an advisory lock, and those in ``WAITING``.
Functions of the same module and methods of the same class are entered; other modules' functions and lambdas are not.
"""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOMENTS = {"catalog_now", "clocks", "Moment.read"}
#: these wait for rows by ``INSERT … ON CONFLICT``
WAITING = {"artifacts.take_names"}
#: these are taken after the moment: of the brake's own locks a commit takes the last one then, see
#: `tierkeeper/engine/moment.py`
AFTERWARDS = {"brake_counts.count_together"}
_DATES = "it only dates the rows of surplus versions: converge decides about them by a moment of its own"
#: functions that read a moment before a lock, with that lock, and why they may
EXCEPTIONS = {
    "engine/ingest/commit.py commit: schedule.put_deletes": _DATES,
    "engine/verbs/verbs.py _write_wish: schedule.put_deletes": _DATES,
    "engine/recovery/accept.py _accepted: identity.begin_line": "it locks the identity, which is locked already",
    "engine/operations/months.py make_partitions: partitions.make_ahead": "a wait moves no month out of those made",
    "engine/read/access_times.py _write_times: schedule.lock": "the first moment tells only whether a policy asks",
}
_LOCKS = re.compile(r"\bFOR (?:NO KEY )?(?:UPDATE|(?:KEY )?SHARE)\b(?! (?:OF \w+ )?SKIP LOCKED)|pg_advisory_xact_lock")

Function = ast.FunctionDef
Functions = Mapping[str, Function]


def _locks_itself(function: Function, values: Mapping[str, object]) -> bool:
    named = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    texts = [getattr(values.get(name), "text", values.get(name)) for name in sorted(named)]
    inside = ast.unparse(function)
    return ".with_for_update(" in inside or any(_LOCKS.search(t) for t in [*texts, inside] if isinstance(t, str))


def _asked(node: ast.Call) -> bool:
    return any(key.arg == "lock" and ast.unparse(key.value) != "False" for key in node.keywords)


def locking(codes: Mapping[str, str]) -> dict[str, bool]:
    """Return the functions of these catalog modules that lock, and whether each does only with ``lock=True``."""
    trees = {module: ast.parse(code).body for module, code in codes.items()}
    functions = {f"{m}.{node.name}": node for m, body in trees.items() for node in body if isinstance(node, Function)}
    asks = {name: any(each.arg == "lock" for each in node.args.kwonlyargs) for name, node in functions.items()}
    modules = {module: vars(importlib.import_module(f"tierkeeper.catalog.{module}")) for module in codes}
    found = {n: asks[n] for n, node in functions.items() if _locks_itself(node, modules[n.partition(".")[0]])}
    found |= dict.fromkeys(WAITING & {*functions}, False)

    def calls_one(name: str) -> bool:
        calls = [node for node in ast.walk(functions[name]) if isinstance(node, ast.Call)]
        own = name.partition(".")[0]
        called = [(ast.unparse(call.func), call) for call in calls]
        named = [(text if "." in text else f"{own}.{text}", call) for text, call in called]
        return any(text in found and (not found[text] or _asked(call)) for text, call in named)

    while more := {name: asks[name] for name in functions if name not in found and calls_one(name)}:
        found |= more
    return found


LOCKS = locking({p.stem: p.read_text() for p in sorted((ROOT / "tierkeeper/catalog").glob("[!_]*.py"))})


@dataclass
class Reading:
    """One unit's way through its source: the locks after a moment, and what was met at all."""

    functions: Functions
    room: str = ""  # the class whose methods ``self`` has
    module: str = ""
    late: set[str] = field(default_factory=set)  # locks that are taken after a moment
    met: set[str] = field(default_factory=set)

    def block(self, nodes: list[ast.stmt], read: bool | None, entered: frozenset[str]) -> bool | None:  # noqa: FBT001  a state
        """Follow statements; return whether a moment was read after them, None where none follows."""
        for node in nodes:
            if read is None:
                break
            read = self.follow(node, entered, read=read)
        return read

    def follow(self, node: ast.AST, entered: frozenset[str], *, read: bool) -> bool | None:
        """Follow one statement or expression, as :meth:`block` does."""
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            return read
        if isinstance(node, ast.If):
            before = self.follow(node.test, entered, read=read)
            ends = [self.block(branch, before, entered) for branch in (node.body, node.orelse)]
            left = [end for end in ends if end is not None]
            return any(left) if left else None
        after = read
        for child in ast.iter_child_nodes(node):
            after = bool(self.follow(child, entered, read=after)) or after
        if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break):
            return None
        return self.call(node, entered, read=after) if isinstance(node, ast.Call) else after

    def call(self, node: ast.Call, entered: frozenset[str], *, read: bool) -> bool:
        """Meet a call whose arguments were read."""
        name = ast.unparse(node.func)
        if name.startswith("self.") and self.room:
            name = f"{self.room}.{name.removeprefix('self.')}"
        catalogs = f"{self.module}.{name}" if f"{self.module}.{name}" in LOCKS else name
        if name in MOMENTS:
            self.met.add("moment")
            return True
        if catalogs in LOCKS and catalogs not in AFTERWARDS and (not LOCKS[catalogs] or _asked(node)):
            self.met.add("lock")
            self.late |= {catalogs} if read else set()
        elif name in self.functions and name not in entered:
            return bool(self.block(self.functions[name].body, read, entered | {name})) or self.ended(name, read=read)
        return read

    def ended(self, name: str, *, read: bool) -> bool:
        """Whether a function that returned may have read a moment."""
        own = ast.walk(self.functions[name])
        return read or any(isinstance(each, ast.Call) and ast.unparse(each.func) in MOMENTS for each in own)


def _functions(node: ast.AST, room: str = "") -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{room}{child.name}", child
            yield from _functions(child, f"{room}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{room}{child.name}.")
        else:
            yield from _functions(child, room)


def judged(code: str, module: str = "") -> dict[str, set[str]]:
    """Return the locks after a moment, of each function or method that takes locks and reads a moment."""
    functions = dict(_functions(ast.parse(code)))
    found = {}
    for name, node in functions.items():
        reading = Reading(functions, room=name.rpartition(".")[0], module=module)
        reading.block(node.body, read=False, entered=frozenset({name}))
        if reading.met == {"lock", "moment"}:
            found[name] = reading.late
    return found


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("def unit(c):\n    blobs.lock(c, [])\n    now = catalog_now(c)", True),
        ("def unit(c):\n    now = catalog_now(c)\n    blobs.lock(c, [])", False),
        ("def unit(c):\n    moment = Moment.read(c, e)\n    row = identity.read(c, lock=True)", False),
        ("def unit(c):\n    row = identity.read(c)\n    now = catalog_now(c)\n    plans.load(c, lock=True)", False),
        (
            "def unit(c):\n    now = clocks(c)\n    if now:\n        write(c)\ndef write(c):\n    schedule.lock(c, [])",
            False,
        ),
        ("def unit(c):\n    p = Moment.read(c, e)\n    schedule.lock(c, [])\n    moment = Moment.read(c, e)", False),
        ("def unit(c):\n    blobs.lock(c, [])\n    now = catalog_now(c)\n    artifacts.lock(c, [])", False),
        ("def unit(c):\n    if a:\n        return catalog_now(c)\n    blobs.lock(c, [])\n    catalog_now(c)", True),
        ("def unit(c):\n    if a:\n        now = catalog_now(c)\n    blobs.lock(c, [])\n    catalog_now(c)", False),
        ("def unit(c):\n    now = read(c)\n    blobs.lock(c, [])\ndef read(c):\n    return catalog_now(c)", False),
        ("def unit(c):\n    brake_counts.release(c, r, now=catalog_now(c))", False),
    ],
)
def test_the_check_sees_the_order(code: str, *, right: bool) -> None:
    """It sees every moment before a lock, in the functions that are called, too, and in methods."""
    assert (not judged(code)["unit"]) is right
    method = "class A:\n" + "\n".join(f"    {line}" for line in code.splitlines())
    for called in ("write(c)", "read(c)"):
        method = method.replace(f" {called}\n", f" self.{called}\n")
    assert (not judged(method)["A.unit"]) is right


def test_locks_are_known_by_their_statements() -> None:
    """What locks rows or takes an advisory lock is found, what skips locked rows is not."""
    always = {name for name, asked in LOCKS.items() if not asked}
    assert always >= {"blobs.lock", "blobs.take", "artifacts.lock", "artifacts.lock_only", "schedule.lock"}
    assert always >= {"epochs.lock", "policies.lock", "quarantine.lock", "deliveries.lock", "runs.lock_for_approval"}
    assert always >= {"brake_counts.open_alone", "brake_counts.count_together", "brake_counts.release"}
    assert {name for name, asked in LOCKS.items() if asked} >= {"switches.read", "identity.read", "plans.load"}
    assert not {*LOCKS} & {"schedule.claim", "schedule.peek", "deliveries.take_due", "brake_counts.stop"}
    code = "def new(c):\n    c.execute(_LOCK)\ndef by(c):\n    new(c)\ndef other(c):\n    c.execute(_PEEK)"
    assert locking({"schedule": code}) == {"schedule.new": False, "schedule.by": False}
    for name in WAITING | AFTERWARDS:
        module, function = name.split(".")
        assert callable(vars(importlib.import_module(f"tierkeeper.catalog.{module}"))[function])


def test_moments_are_read_after_locks() -> None:
    """No function of engine, catalog or keeper takes a lock after a moment, except those named with a reason."""
    rooms = [ROOT / "tierkeeper" / room for room in ("engine", "catalog", "keeper")]
    found = {
        f"{path.relative_to(ROOT / 'tierkeeper')} {name}": late
        for room in rooms
        for path in sorted(room.rglob("*.py"))
        for name, late in judged(path.read_text(), path.stem if room.name == "catalog" else "").items()
    }
    assert len(found) >= 35
    assert {f"{name}: {lock}" for name, late in found.items() for lock in late} == {*EXCEPTIONS}
