"""Who decides about content takes its row first (R12), and all take their locks in one order (R14).

At the moment a step begins, another connection locks rows of one table. The step must wait there, and must hold
nothing yet of what comes after it in the order: otherwise two could wait for each other.
"""

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House
from support.locking import wait_for_a_lock

from tierkeeper.base.ids import new_id
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge import converge

ORDER = {"blobs": "id", "names": "id", "artifacts": "id", "schedule": "artifact_id"}
WEEK = timedelta(days=8)  # old enough for warm, by the default policy


def age(house: House) -> House:
    """Let the artifacts be old enough for cold."""
    house.days_pass(25)
    return house


OPERATIONS: dict[str, tuple[str, Callable[[House], object]]] = {
    "store intends": ("ingest.step_2_intend", lambda house: house.store("c", b"a")),
    "store commits": ("ingest.step_4_commit", lambda house: house.store("a", b"b")),
    "converge intends": ("converge.step_3_intend", lambda house: age(house).turn()),
    "converge commits": ("converge.step_5_commit", lambda house: age(house).turn()),
    "collect marks": ("collect.step_2_mark", lambda house: house.collect()),
    "collect forgets": ("collect.step_4_forget", lambda house: house.collect()),
    "a verb": ("verbs.step_1_wish", lambda house: house.restore("a")),
    "a purge": ("verbs.step_1_wish", lambda house: house.purge("a")),
}


@pytest.fixture
def two(house: House) -> House:
    """Two artifacts of two contents in warm, each with a copy in hot that may be collected."""
    for name in ("a", "b"):
        house.store(name, name.encode(), age=WEEK)
    house.turn()
    return house


@contextmanager
def met(
    house: House, monkeypatch: pytest.MonkeyPatch, operation: str, table: str, *, row: str = ""
) -> Iterator[tuple["Future[object]", sa.Connection]]:
    """Lock rows of a table when the step begins, and wait until the step waits for them."""
    step, act = OPERATIONS[operation]
    module, _, name = step.rpartition(".")
    owner = importlib.import_module(f"tierkeeper.engine.{module}.{module}")
    original = getattr(owner, name)
    database = house.keeper.engine.catalog.engine
    with database.connect() as gate, database.connect() as second, ThreadPoolExecutor() as threads:

        def stepping(*args: Any, **kwargs: Any) -> object:  # noqa: ANN401  as the step's
            monkeypatch.undo()
            gate.execute(sa.text(f"SELECT {ORDER[table]} FROM {table} {row} FOR NO KEY UPDATE"))  # noqa: S608  constants
            result = original(*args, **kwargs)
            ended.set()
            return result

        ended = Event()
        monkeypatch.setattr(owner, name, stepping)
        future: Future[object] = threads.submit(act, house)
        try:
            wait_for_a_lock(second, future)
            assert not ended.is_set(), "the step did not wait, only what came after it"
            yield future, second
        finally:
            second.rollback()
            gate.rollback()


def assert_free(connection: sa.Connection, table: str, row: str = "") -> None:
    """Lock these rows at once, or fail."""
    query = f"SELECT {ORDER[table]} FROM {table} {row} FOR NO KEY UPDATE NOWAIT"  # noqa: S608  constants
    try:
        connection.execute(sa.text(query))
    except sa.exc.OperationalError as error:
        raise AssertionError(f"it has rows of {table} already, before those that it waits for") from error


@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_decides_takes_the_content_first(two: House, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """A step that decides about content waits for its row, and has no other lock while it waits."""
    with met(two, monkeypatch, operation, "blobs") as (_, second):
        for later in list(ORDER)[1:]:
            assert_free(second, later)


@pytest.mark.parametrize(
    ("operation", "table"),
    [
        ("store commits", "names"),
        ("converge commits", "artifacts"),
        ("converge commits", "schedule"),
        ("a verb", "artifacts"),
        ("a verb", "schedule"),
    ],
)
def test_locks_are_taken_in_one_order(two: House, monkeypatch: pytest.MonkeyPatch, operation: str, table: str) -> None:
    """While a step waits for rows of one table, it has none of a table that comes later."""
    with met(two, monkeypatch, operation, table) as (_, second):
        for later in list(ORDER)[list(ORDER).index(table) + 1 :]:
            assert_free(second, later)


@pytest.mark.parametrize("table", ["blobs", "artifacts", "schedule"])
def test_rows_are_locked_by_their_ids(two: House, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """Of two rows a commit locks the one with the smaller id first, wherever they lie."""
    key = ORDER[table]
    smaller = f"WHERE {key} = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1)"  # noqa: S608  constants
    larger = f"WHERE {key} = (SELECT {key} FROM {table} ORDER BY {key} DESC LIMIT 1)"  # noqa: S608  constants
    two.sql(f"UPDATE {table} SET {key} = {key} {smaller}")  # noqa: S608  constants; it now lies behind the other
    with met(two, monkeypatch, "converge commits", table, row=smaller) as (_, second):
        assert_free(second, table, larger)


def test_a_hold_that_comes_while_collect_waits_is_honoured(house: House) -> None:
    """Collect asks after it has the content's row: a hold that was placed meanwhile keeps the last copy."""
    house.policy("name: now\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 0d")
    house.store()
    house.purge()
    artifact = house.show().id
    database = house.keeper.engine.catalog.engine
    with database.connect() as holder, database.connect() as looking, ThreadPoolExecutor() as threads:
        holder.execute(sa.text("SELECT id FROM blobs FOR NO KEY UPDATE"))
        holder.execute(
            sa.text("INSERT INTO holds (id, artifact_id, name, by, reason) VALUES (:id, :artifact, 'h', 'tester', '')"),
            {"id": uuid4(), "artifact": artifact},
        )
        future: Future[object] = threads.submit(house.collect)
        wait_for_a_lock(looking, future)
        holder.commit()
        future.result()
    assert len(house.everything()) == 1
    house.release()
    house.settle()


def test_two_commits_of_one_content_do_not_doom_each_others_copies(house: House) -> None:
    """Of two artifacts that move apart at once, each commit sees what the other one wants."""
    house.store("a", b"shared")
    house.store("b", b"shared")
    house.restore("a", to_tier="warm")
    house.settle()
    house.promote("b", "warm")
    house.settle()
    assert house.tiers("a") == {"hot", "warm"}
    engine = house.keeper.engine
    a, b = house.show("a").id, house.show("b").id
    workers = {i: Worker(token=new_id(), caller=TESTER) for i in (a, b)}
    house.sql("UPDATE artifacts SET override_kind = 'replace', override_tiers = '{hot}' WHERE id = :id", id=a)
    for artifact, worker in workers.items():
        house.due(artifact)
        converge.step_1_claim(engine, worker, ids=[artifact])
    database = engine.catalog.engine
    with database.connect() as gate, database.connect() as looking, ThreadPoolExecutor() as threads:
        gate.execute(sa.text("SELECT id FROM blobs FOR NO KEY UPDATE"))
        futures = [threads.submit(converge.step_5_commit, engine, workers[i], [i], [], set()) for i in (a, b)]
        wait_for_a_lock(looking, futures[0])
        gate.rollback()
        for future in futures:
            future.result()
    assert house.tiers("a") == {"hot", "warm"}
    house.settle()
