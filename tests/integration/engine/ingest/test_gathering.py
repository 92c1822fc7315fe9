"""Single stores that come at the same moment: stored together, each a command of its own."""

import gc
import io
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from unittest import mock

import pytest
import sqlalchemy as sa
from support import crashing, invariants
from support.house import LEASES_END, House, OpenHouse
from support.severed import Wire, severed_at_commit, unbelieved

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import (
    CatalogLimited,
    CatalogUnavailable,
    CommandConflict,
    ContentDiffers,
    InvalidInput,
    SourceRefused,
)
from tierkeeper.engine.context import Engine
from tierkeeper.engine.ingest import gathering, ingest
from tierkeeper.engine.ingest.writing import WrittenItem
from tierkeeper.stores.errors import TierNotOurs
from tierkeeper.values.artifacts import StoreResult
from tierkeeper_client.contract import SourceContent, StoreArgs

Store = tuple[StoreArgs, Caller]
NAMES = [f"n{number}" for number in range(6)]
LONG = 60.0  # seconds: longer than anything here may take
SOON = 20.0
STEPS = [step for step in crashing.steps() if step.part == "ingest"]


def caller(name: str) -> Caller:
    """The caller of a name's store: another one for each."""
    return Caller(f"actor of {name}", f"correlation of {name}", f"key of {name}")


@dataclass(slots=True)
class Batches:
    """What was stored together, by the names; the first batch waits to be let go."""

    stored: list[list[str]] = field(default_factory=list)
    by: list[Caller] = field(default_factory=list)
    going: threading.Event = field(default_factory=threading.Event)
    waits: bool = True


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Batches]:
    """One leader at a time, and its batches; the first one begins when the test says so."""
    seen = Batches()
    monkeypatch.setattr(gathering, "PATIENCE", LONG)
    together = ingest.store_together

    def noted(engine: Engine, stores: Sequence[Store], *, caller: Caller) -> list[Any]:
        seen.stored.append([args.name for args, _ in stores])
        seen.by.append(caller)
        if seen.waits:
            seen.waits = False
            assert seen.going.wait(20)
        return cast("list[Any]", together(engine, stores, caller=caller))

    monkeypatch.setattr(ingest, "store_together", noted)
    yield seen
    seen.going.set()


def waiting(house: House) -> int:
    """How many stores wait for a leader."""
    return len(house.keeper._gathering._waiting)


@contextmanager
def gathered(house: House, batches: Batches, stores: Sequence[Store]) -> Iterator[list[Future[StoreResult]]]:
    """Stores that wait together, in their order, behind a first one called ``first``."""
    members: list[gathering._Member] = []
    made = gathering._Member

    def remembered(*args: Any) -> gathering._Member:  # noqa: ANN401  its own
        members.append(made(*args))
        return members[-1]

    with mock.patch.object(gathering, "_Member", remembered), ThreadPoolExecutor(len(stores) + 1) as threads:
        futures: list[Future[StoreResult]] = []
        for number, (args, by) in enumerate([(house.args("first", b"first"), caller("first")), *stores]):
            futures.append(threads.submit(house.keeper.artifacts.store, args, caller=by))
            until = time.monotonic() + 20
            while not (batches.stored and waiting(house) == number):
                assert time.monotonic() < until
                time.sleep(0.005)
        batches.going.set()
        try:
            yield futures[1:]
            assert not wait(futures, timeout=SOON).not_done, "somebody waits for ever"
        finally:
            for member in members:
                if member.outcome is None:
                    member.done(AssertionError("nobody stored it"))


def of_names(house: House, names: Sequence[str] = NAMES) -> list[Store]:
    """A store for each name."""
    return [(house.args(name, name.encode()), caller(name)) for name in names]


def _impatient(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET LOCAL lock_timeout = '300ms'")


def count(house: House, table: str) -> int:
    """The rows of a table."""
    [row] = house.sql(f"SELECT count(*) AS number FROM {table}")  # noqa: S608  a test's own
    return int(row.number)


def test_what_waits_is_stored_together(house: House, batches: Batches) -> None:
    """In one batch, in the order in which it came; each is answered, and found by its own key, actor, correlation."""
    with gathered(house, batches, of_names(house)) as futures:
        results = [future.result(SOON) for future in futures]
    assert batches.stored == [["first"], NAMES]
    assert [result.ref.name for result in results] == NAMES
    assert {name: house.read(name) for name in NAMES} == {name: name.encode() for name in NAMES}
    rows = house.sql("SELECT name, actor, correlation FROM events WHERE type = 'stored' AND name <> 'first'")
    by_name = {row.name: (row.actor, row.correlation) for row in rows}
    assert by_name == {name: (caller(name).actor, caller(name).correlation) for name in NAMES}
    again = [house.keeper.artifacts.store(args, caller=by) for args, by in of_names(house)]
    assert again == results
    assert count(house, "artifacts") == len(NAMES) + 1
    invariants.check(house.keeper)


def test_one_alone_waits_for_nobody(house: House, batches: Batches) -> None:
    """A store that comes while no other is at work is a batch of its own, with its own caller."""
    batches.waits = False
    for name in NAMES[:2]:
        house.keeper.artifacts.store(house.args(name), caller=caller(name))
    assert batches.stored == [[name] for name in NAMES[:2]]
    assert [by.actor for by in batches.by] == [caller(name).actor for name in NAMES[:2]]


def test_a_slow_leader_holds_up_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited a moment for it leads beside it, up to some leaders; what one of them leaves has no further leader."""
    monkeypatch.setattr(gathering, "PATIENCE", 0.3)
    monkeypatch.setattr(gathering, "LEADERS", 2)
    arrived: list[list[str]] = []
    going = [threading.Event() for _ in range(3)]

    def held(_engine: Engine, stores: Sequence[Store], *, caller: Caller) -> list[Exception]:
        number = len(arrived)
        arrived.append([args.name for args, _ in stores])
        assert going[number].wait(20)
        return [InvalidInput(field="x", value=caller.actor, problem="p", fix="f")] * len(stores)

    monkeypatch.setattr(ingest, "store_together", held)

    def until(*names: list[str], waits: int) -> None:
        end = time.monotonic() + 20
        while (arrived, waiting(house)) != ([*names], waits):
            assert time.monotonic() < end, (arrived, waiting(house))
            time.sleep(0.005)

    with ThreadPoolExecutor(5) as threads:
        futures = []

        def send(name: str) -> None:
            [(args, by)] = of_names(house, [name])
            futures.append(threads.submit(house.keeper.artifacts.store, args, caller=by))

        began = time.monotonic()
        send("a")
        until(["a"], waits=0)
        send("b")
        until(["a"], waits=1)
        until(["a"], ["b"], waits=0)
        assert time.monotonic() - began >= 0.3
        send("c")
        until(["a"], ["b"], waits=1)
        time.sleep(1)
        until(["a"], ["b"], waits=1)  # both are slow, and there are no more leaders than these
        send("d")
        until(["a"], ["b"], waits=2)
        going[1].set()
        until(["a"], ["b"], ["c", "d"], waits=0)
        for each in going:
            each.set()
        assert {type(future.exception(SOON)) for future in futures} == {InvalidInput}
    assert not house.keeper._gathering._leading


def test_a_leader_that_is_not_slow_is_followed_by_one(house: House, batches: Batches) -> None:
    """What comes while a batch is on its way is the next batch, and no batch of its own beside it."""
    with gathered(house, batches, of_names(house)) as futures:
        assert len(house.keeper._gathering._leading) <= 1
        wait(futures)
    assert len(batches.stored) == 2


def test_the_bounds_of_a_batch(house: House, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has so many stores and so many bytes at most; what does not fit is in the next one."""
    monkeypatch.setattr(gathering, "MOST", 3)
    with gathered(house, batches, of_names(house)) as futures:
        wait(futures)
    assert batches.stored[1:] == [NAMES[:3], NAMES[3:]]
    monkeypatch.setattr(gathering, "MOST", 100)
    monkeypatch.setattr(gathering, "MOST_BYTES", 40)
    batches.stored.clear()
    batches.going.clear()
    batches.waits = True
    sizes = {"a": 12, "b": 12, "c": 300, "d": 6}  # in base64: 16, 16, 400, 8
    stores = [(house.args(name, name.encode() * size), caller(name)) for name, size in sizes.items()]
    with gathered(house, batches, stores) as futures:
        assert [future.result(SOON).size for future in futures] == list(sizes.values())
    assert batches.stored[1:] == [["a", "b", "d"], ["c"]]


def test_what_is_elsewhere_is_stored_alone(house: House, batches: Batches) -> None:
    """Content that is given, or fetched, takes its own time."""
    given = io.BytesIO(b"given")
    result = house.keeper.artifacts.store(house.args("given", b""), caller=caller("given"), content=given)
    assert result.size == 5
    with pytest.raises(SourceRefused):
        house.keeper.artifacts.store(house.args("a", SourceContent(url="file:///none")), caller=caller("a"))
    assert batches.stored == []


def refused(house: House) -> Store:
    """A store that is refused: its content is not what it says."""
    return house.args("bad", b"x", sha256="0" * 64), caller("bad")


def conflicting(house: House) -> Store:
    """A store whose key was used for another one."""
    house.keeper.artifacts.store(house.args("taken", b"x"), caller=caller("bad"))
    return house.args("bad", b"x"), caller("bad")


@pytest.mark.parametrize(("bad", "kind"), [(refused, ContentDiffers), (conflicting, CommandConflict)])
def test_what_is_refused_fails_no_other(
    house: House, batches: Batches, bad: Callable[[House], Store], kind: type[Exception]
) -> None:
    """A typed error of one is its own, whether it is found before the batch or only by the catalog."""
    batches.waits = False
    poisoned = bad(house)
    batches.waits = True
    batches.stored.clear()
    stores = of_names(house)
    stores.insert(2, poisoned)
    with gathered(house, batches, stores) as futures:
        errors = [future.exception(SOON) for future in futures]
    assert [type(error) for error in errors if error is not None] == [kind]
    assert errors[2] is not None
    assert {name: house.read(name) for name in NAMES} == {name: name.encode() for name in NAMES}
    invariants.check(house.keeper)


def test_a_defect_is_alone_in_the_end(house: House, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that raises is halved until what raises is alone; the others are stored, once."""
    commit = ingest.step_4_commit

    def defective(engine: Engine, prepared: Any, items: Sequence[Any], *args: Any, **more: Any) -> Any:  # noqa: ANN401
        if any(item.args.name == "n4" for item in items):
            raise LookupError("a defect")
        return commit(engine, prepared, items, *args, **more)

    monkeypatch.setattr(ingest, "step_4_commit", defective)
    with gathered(house, batches, of_names(house)) as futures:
        errors = [future.exception(SOON) for future in futures]
    assert [type(error) for error in errors] == [type(None)] * 4 + [LookupError] + [type(None)]
    assert batches.stored[1:] == [NAMES, NAMES[:3], NAMES[3:], ["n3"], ["n4", "n5"], ["n4"], ["n5"]]
    assert count(house, "artifacts") == len(NAMES)
    house.pass_time(LEASES_END)
    house.settle()
    invariants.check(house.keeper)


def test_a_message_that_comes_twice_at_once(house: House, batches: Batches) -> None:
    """The second delivery is answered as the first one was."""
    [one] = of_names(house, ["n0"])
    with gathered(house, batches, [one, *of_names(house, ["n1"]), one]) as futures:
        results = [future.result(SOON) for future in futures]
    assert batches.stored[1:] == [["n0", "n1"], ["n0"]]
    assert results[0] == results[2]
    assert count(house, "artifacts") == 3


def test_versions_of_one_name(house: House, batches: Batches) -> None:
    """Stores of one name in a batch are its versions, in the order in which they came."""
    contents = [b"one", b"two", b"three", b"three"]
    stores = [(house.args("n", content), caller(str(number))) for number, content in enumerate(contents)]
    with gathered(house, batches, stores) as futures:
        results = [future.result(SOON) for future in futures]
    assert [(result.ref.version, result.outcome) for result in results] == [
        (1, "stored"),
        (2, "stored"),
        (3, "stored"),
        (3, "unchanged"),
    ]


def test_a_catalog_that_is_away_is_told_to_each(
    house: House, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked again for each half; each message is sent again, and stored once."""
    catalog = house.keeper.engine.catalog

    def away(*_: object, **__: object) -> None:
        raise CatalogUnavailable(reason="it is away")

    with monkeypatch.context() as patched, gathered(house, batches, of_names(house)) as futures:
        patched.setattr(type(catalog), "run", away)
        errors = [future.exception(SOON) for future in futures]
    assert {type(error) for error in errors} == {CatalogUnavailable}
    assert len({id(error) for error in errors}) == len(errors)
    assert batches.stored[1:] == [NAMES]
    for args, by in of_names(house):
        house.keeper.artifacts.store(args, caller=by)
    assert count(house, "artifacts") == len(NAMES)


def test_what_does_not_fit_keeps_its_order(house: House, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that wait nobody overtakes another one of the same size."""
    monkeypatch.setattr(gathering, "MOST_BYTES", 12)
    stores = [(house.args(name, b"six..."), caller(name)) for name in ("a", "b", "c", "d")]  # 8 in base64
    with gathered(house, batches, stores) as futures:
        wait(futures)
    assert batches.stored[1:] == [["a"], ["b"], ["c"], ["d"]]


def test_who_waits_behind_a_crash_is_stored(house: House, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that ends, however it ends, leaves the lead to the next one that waits."""
    monkeypatch.setattr(gathering, "MOST", 2)
    [intend] = [step for step in STEPS if step.name == "step_2_intend"]
    with crashing.crashing(intend, "before", call=2), gathered(house, batches, of_names(house)) as futures:
        errors = [type(future.exception(SOON)) for future in futures]
    assert errors == [crashing.Crash, CatalogUnavailable] + [type(None)] * 4
    assert batches.stored[1:] == [NAMES[:2], NAMES[2:4], NAMES[4:]]


def test_who_was_interrupted_is_not_stored(house: House, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that is interrupted while it waits takes its store with it, and its lead where it had just got that."""
    waited = threading.Event.wait
    interrupting: list[bool] = []

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        if interrupting and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return waited(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", interrupted)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(house.store, "first")
        until = time.monotonic() + 20
        while not batches.stored:
            assert time.monotonic() < until
            time.sleep(0.005)
        interrupting.append(True)
        with pytest.raises(KeyboardInterrupt):
            house.store("n0")
        interrupting.clear()
        batches.going.set()
        first.result(SOON)
    began = time.monotonic()
    house.store("n1")
    assert time.monotonic() - began < SOON
    assert batches.stored == [["first"], ["n1"]]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_leader_that_crashes(
    open_house: OpenHouse, batches: Batches, step: crashing.Step, when: crashing.When
) -> None:
    """At whatever step, and nobody waits for ever: whoever asks again under its key has been, or is, stored once."""
    house = open_house()
    with crashing.crashing(step, when, call=2), gathered(house, batches, of_names(house)) as futures:
        crashed, *others = [future.exception(SOON) for future in futures]
    assert isinstance(crashed, crashing.Crash)
    assert {type(error) for error in others} == {CatalogUnavailable}
    assert (house.keeper._gathering._leading, waiting(house)) == ({}, 0)
    again = [house.keeper.artifacts.store(args, caller=by) for args, by in of_names(house)]
    assert {result.outcome for result in again} <= {"stored", "deduplicated"}
    assert {name: house.read(name) for name in NAMES} == {name: name.encode() for name in NAMES}
    assert count(house, "artifacts") == len(NAMES) + 1
    house.pass_time(LEASES_END)
    house.settle()
    invariants.check(house.keeper)


def test_a_limit_on_time_is_whose_it_is(house: House, batches: Batches) -> None:
    """A lock that one store waits for in vain, such as its content's, fails no other."""
    batches.waits = False
    held = house.store("held", b"n2")
    batches.stored.clear()
    batches.waits = True
    catalog = house.keeper.engine.catalog
    with catalog.engine.connect() as other, other.begin():
        other.execute(sa.text("SELECT id FROM blobs WHERE sha256 = sha256('n2') FOR UPDATE"))
        sa.event.listen(catalog.engine, "begin", _impatient)
        with gathered(house, batches, of_names(house)) as futures:
            errors = [future.exception(SOON) for future in futures]
        sa.event.remove(catalog.engine, "begin", _impatient)
    assert [type(error) for error in errors] == [type(None)] * 2 + [CatalogLimited] + [type(None)] * 3
    assert held.ref.version == 1


def test_a_tier_that_is_away_is_told_to_each(house: House, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each store that needs it gets an error of its own, for the thread that raises it."""
    refused = TierNotOurs(tier="hot", reason="it is away")

    def away(_engine: Engine, prepared: Any, **_more: object) -> ingest.Written:  # noqa: ANN401
        return ingest.Written({item.position: WrittenItem((), refused) for item in prepared.items}, frozenset())

    monkeypatch.setattr(ingest, "step_3_write", away)
    with gathered(house, batches, of_names(house)) as futures:
        errors = [future.exception(SOON) for future in futures]
    assert {type(error) for error in errors} == {TierNotOurs}
    assert len({id(error) for error in errors}) == len(errors)


def test_a_refused_store_is_let_go(house: House) -> None:
    """Once its error was handled nothing of it is in memory, before any garbage is collected."""
    args = house.args("a", b"x", sha256="0" * 64)
    known = weakref.ref(args)
    gc.collect()
    gc.disable()
    try:
        try:
            house.keeper.artifacts.store(args, caller=caller("a"))
        except ContentDiffers:
            del args
        assert known() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("how", ["committed", "rolled back", "not known"])
@pytest.mark.parametrize("commit", [3, 4])  # after the two of the first store: the intents, the commit point
def test_a_commit_whose_reply_is_lost(house: House, batches: Batches, how: str, commit: int) -> None:
    """Each of a batch is stored once and answered, whatever became of the transaction that they share."""
    acts: dict[str, Callable[[Wire], object]] = {
        "committed": Wire.commit,
        "rolled back": Wire.end,
        "not known": partial(unbelieved, house),
    }
    catalog = house.keeper.engine.catalog
    with (
        severed_at_commit(catalog, acts[how], commit=commit) as wires,
        gathered(house, batches, of_names(house)) as all_,
    ):
        results = [future.result(SOON) for future in all_]
    assert len(wires) == 1
    assert batches.stored == [["first"], NAMES]
    assert {(result.ref.version, result.outcome) for result in results} == {(1, "stored")}
    assert count(house, "artifacts") == len(NAMES) + 1
    assert count(house, "events WHERE type = 'stored'") == len(NAMES) + 1
    house.pass_time(LEASES_END)
    house.settle()
    invariants.check(house.keeper)


def test_a_keeper_of_threads(house: House) -> None:
    """Hundreds of stores from many threads: each is stored once, and nothing stays behind."""
    with ThreadPoolExecutor(24) as threads:
        results = list(
            threads.map(
                lambda n: house.keeper.artifacts.store(house.args(f"m{n}", b"%d" % (n % 50)), caller=caller(f"m{n}")),
                range(200),
            )
        )
    assert {result.ref.name for result in results} == {f"m{n}" for n in range(200)}
    assert count(house, "artifacts") == 200
    assert (house.keeper._gathering._leading, waiting(house)) == ({}, 0)
    invariants.check(house.keeper)
