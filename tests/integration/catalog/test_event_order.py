"""The order of events: whoever reads by position misses none, however late a transaction commits (R33)."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from support.callers import TESTER
from support.house import House

from tierkeeper.audit.catalog import EpochRaised, RaisedEpoch
from tierkeeper.audit.position import Position
from tierkeeper.base.errors import InvalidPosition
from tierkeeper.base.ids import new_id
from tierkeeper.catalog import dumps, events, migrate
from tierkeeper.catalog.database import catalog_now
from tierkeeper.values.events import EventView
from tierkeeper.values.health import Condition

PAYLOAD = EpochRaised(after=RaisedEpoch(epoch=1, reason="a test"))
#: an event as another cluster wrote it
FOREIGN = (
    "INSERT INTO events (subject, revision, at, type, actor, cluster, xid)"
    " VALUES (:subject, 1, :at, 'epoch raised', 'tester', :cluster, CAST(:xid AS xid8)) RETURNING subject"
)


@contextmanager
def open_transaction(house: House) -> Iterator[sa.Connection]:
    """A connection of its own, in a transaction that the test ends."""
    with house.keeper.engine.catalog.engine.connect() as connection:
        yield connection


def write(connection: sa.Connection) -> UUID:
    """Write one event now; return its subject."""
    subject = new_id()
    line = events.Line(subject=subject, revision=1, payload=PAYLOAD, actor="tester")
    events.append(connection, [line], at=catalog_now(connection))
    return subject


def read(house: House, after: str | None, *, limit: int = 1000) -> list[EventView]:
    """The next events in their order."""
    with house.keeper.engine.catalog.reading() as connection:
        return events.after(connection, None if after is None else Position.read(after), limit=limit)


def by_time(house: House, since: datetime) -> list[UUID]:
    """The subjects of the events that are later than a time."""
    with house.keeper.engine.catalog.reading() as connection:
        return [event.subject for event in events.query(connection, since=since, newest_first=False)]


def subjects(found: list[EventView]) -> list[UUID]:
    """What they are about."""
    return [event.subject for event in found]


def end(house: House) -> str | None:
    """The position of a reader who has read everything."""
    return read(house, None)[-1].position


def test_a_late_commit_is_not_skipped(house: House) -> None:
    """A reader by position waits for the slower transaction; readers by time and by id never see its event."""
    begin = end(house)
    with open_transaction(house) as slow, open_transaction(house) as fast:
        late = write(slow)
        early = write(fast)
        fast.commit()
        assert read(house, begin) == []
        (seen,) = house.keeper.events.select(limit=1)
        assert (seen.subject, seen.position) == (early, None)
        slow.commit()
    found = read(house, begin)
    assert subjects(found) == [late, early]
    assert read(house, found[-1].position) == []
    assert by_time(house, seen.at + timedelta(microseconds=1)) == []
    assert late < early


def test_a_transaction_that_wrote_nothing_holds_nobody_up(house: House) -> None:
    """Who only reads has no transaction id, so events are read while a long query runs."""
    begin = end(house)
    with open_transaction(house) as reader, open_transaction(house) as writer:
        reader.execute(sa.text("SELECT count(*) FROM events"))
        subject = write(writer)
        writer.commit()
        assert subjects(read(house, begin)) == [subject]


def test_pages_are_the_whole(house: House) -> None:
    """Page by page, from each last position on, a reader has every event once, each subject's in their order."""
    house.store()
    house.keeper.deletes.switch(enabled=False, reason="a test", caller=TESTER)
    house.keeper.deletes.switch(enabled=True, reason="a test", caller=TESTER)
    found: list[EventView] = []
    while page := read(house, found[-1].position if found else None, limit=2):
        found += page
    everything = read(house, None)
    assert found == everything
    assert len(everything) == house.sql("SELECT count(*) AS all FROM events")[0].all
    for subject in set(subjects(found)):
        revisions = [event.revision for event in found if event.subject == subject]
        assert revisions == sorted(revisions)


def test_a_savepoint_changes_nothing(house: House) -> None:
    """Events that are written after a savepoint have the id of their whole transaction."""
    begin = end(house)
    with open_transaction(house) as connection:
        first = write(connection)
        with connection.begin_nested():
            second = write(connection)
        connection.commit()
    found = read(house, begin)
    assert subjects(found) == sorted([first, second])
    assert len({Position.read(str(event.position)).xid for event in found}) == 1


@pytest.mark.parametrize("cluster", ["1-1", "zzz-1"])
def test_events_of_an_earlier_cluster_come_first(house: House, cluster: str) -> None:
    """What another server wrote stands before all of this one, whatever its name and its transaction ids."""
    (first,) = house.sql(FOREIGN, subject=new_id(), at=datetime.now(UTC) - timedelta(days=9), cluster="500-1", xid="7")
    ids = [new_id(), new_id()]
    for subject, xid in zip(ids, ("18446744073709551615", "3"), strict=True):
        house.sql(FOREIGN, subject=subject, at=datetime.now(UTC) - timedelta(days=5), cluster=cluster, xid=xid)
    found = read(house, None)
    assert subjects(found)[:3] == [first.subject, ids[1], ids[0]]
    assert len(found) > 3
    assert subjects(read(house, found[1].position)) == subjects(found)[2:]
    assert subjects(read(house, found[2].position, limit=1)) == [found[3].subject]


def test_this_cluster_is_the_last(house: House) -> None:
    """What this server writes stands last, even where the clock of an earlier one was ahead."""
    later = datetime.now(UTC) + timedelta(days=1)
    (first,) = house.sql(FOREIGN, subject=new_id(), at=later, cluster="500-1", xid="7")
    found = read(house, None)
    assert found[0].subject == first.subject
    assert len(found) > 1


def test_a_position_of_another_catalog_is_refused(house: House) -> None:
    """A cluster that wrote nothing here has no place in the order: an error, not silence."""
    with pytest.raises(InvalidPosition, match="no event of this catalog is of its cluster"):
        read(house, str(Position("1-1", 5, new_id(), 1)))


def test_health_tells_how_long_followers_wait(house: House) -> None:
    """An event whose position is not final for more than ten minutes, as a transaction stays open, is told."""
    assert house.keeper.health.check()["events"].condition is Condition.OK
    with open_transaction(house) as holding, open_transaction(house) as writer:
        write(holding)
        line = events.Line(subject=new_id(), revision=1, payload=PAYLOAD, actor="tester")
        events.append(writer, [line], at=datetime.now(UTC) - timedelta(minutes=11))
        writer.commit()
        vital = house.keeper.health.check()["events"]
        assert vital.condition is Condition.ATTENTION
        assert vital.value is not None
        assert vital.value > timedelta(minutes=11).total_seconds()
        holding.rollback()
    assert house.keeper.health.check()["events"].value == 0


BEFORE = (
    "INSERT INTO events (subject, revision, at, type, actor)"
    " SELECT gen_random_uuid(), 1, now(), 'stored', 'tester' FROM generate_series(1, 3)"
)


def test_the_release_before_goes_on_writing(postgres_url: str) -> None:
    """The events that there are get one transaction in the upgrade; processes of the release before write their own."""
    engine = sa.create_engine(sa.make_url(postgres_url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    told = sa.text("SELECT cluster, xid::text, cluster = events_cluster() AS here FROM events ORDER BY xid")
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0006")
        connection.execute(sa.text(BEFORE))
    migrate.upgrade(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text(BEFORE))
    with engine.begin() as connection:
        rows = connection.execute(told).all()
        assert all(row.here for row in rows)
        assert [rows.count(row) for row in rows] == [3] * 6
        assert len(events.after(connection, None, limit=10)) == 6
    with engine.begin() as connection:
        command.downgrade(migrate._config(connection), "0006")
        assert connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one() == 6


def test_a_dump_keeps_the_order(house: House) -> None:
    """Loaded events keep their positions; those of a dump of the release before get the transaction that loads them."""
    engine = house.keeper.engine
    columns = dumps.columns(dumps.EVENTS)
    older = [name for name in columns if name not in {"cluster", "xid"}]
    before = read(house, None)
    with dumps.snapshot(engine.catalog) as snapshot:
        copy = io.BytesIO()
        snapshot.copy_events(0, copy)
    lines = copy.getvalue().decode().splitlines()
    moved = [line.replace(before[0].position.split(".")[0], "42-1") for line in lines if before[0].position]

    def load(connection: sa.Connection) -> list[EventView]:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("DELETE FROM events"))
        dumps.load_events(connection, columns, io.BytesIO("\n".join([*moved, ""]).encode()))
        kept = events.after(connection, None, limit=1000)
        connection.execute(sa.text("DELETE FROM events"))
        cut = ["\t".join(line.split("\t")[: len(older)]) for line in lines]
        dumps.load_events(connection, older, io.BytesIO("\n".join([*cut, ""]).encode()))
        return kept

    kept = engine.catalog.run(TESTER, load)
    assert [str(event.position).split(".")[1:] for event in kept] == [str(e.position).split(".")[1:] for e in before]
    assert {str(event.position).split(".")[0] for event in kept} == {"42-1"}
    loaded = read(house, None)
    assert sorted(subjects(loaded)) == sorted(subjects(before))
    assert len({Position.read(str(event.position)).xid for event in loaded}) == 1
