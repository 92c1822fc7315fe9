"""PostgreSQL's clock was wrong when dumps were made: no later dump lacks anything, and the newest one is known."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from support import months
from support.callers import TESTER
from support.catalogs import Catalog
from support.house import House, OpenHouse

from tierkeeper.base.states import Outcome
from tierkeeper.catalog import dumps, epochs
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.events import Horizon
from tierkeeper.engine.recovery import dump, dump_files, rebuild
from tierkeeper.engine.recovery.dump_files import EventSegment
from tierkeeper.stores.base import ObjectKey
from tierkeeper.values.health import Condition
from tierkeeper.values.recovery import Checkup

AHEAD = timedelta(days=40)
LATE = "INSERT INTO events (subject, revision, at, type, actor) VALUES (%s, 1, %s, 'placed', 'tester')"


@contextmanager
def clock(by: timedelta) -> Iterator[None]:
    """Let dumps find PostgreSQL's clock ahead."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dumps, "catalog_now", lambda connection: catalog_now(connection) + by)
        yield


def dumped(house: House, *, by: timedelta = timedelta(0)) -> str:
    """Make a dump; return its name."""
    before = {view.name for view in dump.listed(house.keeper.engine)}
    with clock(by):
        dump.dump(house.keeper.engine, caller=TESTER)
    (name,) = {view.name for view in dump.listed(house.keeper.engine)} - before
    return name


def checkup(house: House) -> Checkup:
    """What `doctor` says of the dumps."""
    return next(check for check in house.keeper.recovery.examine() if check.check == "dumps")


def in_segments(house: House, name: str) -> set[tuple[str, str]]:
    """Subject and revision of every event that a dump has."""
    store = dump.dumps_home(house.keeper.engine)
    manifest = dump_files.read_manifest(store, name)
    found = set()
    for segment in manifest.events:
        with store.open(ObjectKey(segment.location)) as chunks:
            lines = gzip.decompress(b"".join(chunks)).decode().splitlines()
        found |= {(line.split("\t")[0], line.split("\t")[1]) for line in lines}
    return found


def logged(house: House) -> set[tuple[str, str]]:
    """Subject and revision of every event in the catalog."""
    return {(str(row.subject), str(row.revision)) for row in house.sql("SELECT subject, revision FROM events")}


def test_a_dump_of_a_clock_that_was_ahead_spoils_no_later_one(catalog: Catalog) -> None:
    """What happened since is in the next dump, and that one is the newest: a rebuild has it all."""
    with catalog() as house:
        house.store("one", b"one")
        dumped(house)
        wrong = dumped(house, by=AHEAD)
        house.store("two", b"two")
        house.promote("one", "warm")
        dumped(house)
        house.store("three", b"three")
        before = logged(house)
        last = dumped(house)
        assert before <= in_segments(house, last)
        found = checkup(house)
        assert (found.condition, wrong in found.found) == (Condition.OK, True)
    with catalog() as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert (result.dump, result.counts, result.later) == (last, {}, (wrong,))
        assert before <= logged(house)
        assert house.sql("SELECT FROM holds") == []
        assert house.show("one").wanted == ("warm",)


def test_what_an_open_transaction_wrote_is_in_the_next_dump(house: House) -> None:
    """An event's time is from long before its commit: the order of events bounds the segments, no time does."""
    subject = uuid4()
    dumped(house)
    with house.keeper.engine.catalog.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(LATE, (subject, datetime.now(UTC) - timedelta(hours=2)))
        without = dumped(house)
    assert (str(subject), "1") not in in_segments(house, without)
    assert (str(subject), "1") in in_segments(house, dumped(house))


def test_only_the_newest_ones_are_kept_whatever_their_time(open_house: OpenHouse) -> None:
    """A dump of a time that has not come goes as soon as enough newer ones are there."""
    house = open_house(dumps={"keep": 1})
    wrong = dumped(house, by=AHEAD)
    found = checkup(house)
    assert (found.condition, "in the future" in found.found) == (Condition.ATTENTION, True)
    right = dumped(house)
    assert right < wrong
    assert [view.name for view in dump.listed(house.keeper.engine)] == [right]
    assert checkup(house).condition is Condition.OK


def test_a_dump_without_an_epoch_is_older_than_any_with_one(house: House) -> None:
    """The release before wrote none; its dumps are loaded as before."""
    store = dump.dumps_home(house.keeper.engine)
    name = dumped(house, by=AHEAD)
    folder = Path(store.config.url.removeprefix("file://")) / dump_files.FOLDER
    at, _, mark = name.split("-", 2)
    (folder / name).rename(folder / f"{at}-{mark}")
    assert [(view.name, view.epoch) for view in dump.listed(house.keeper.engine)] == [(f"{at}-{mark}", None)]
    right = dumped(house)
    assert [view.name for view in dump.listed(house.keeper.engine)] == [right, f"{at}-{mark}"]


def test_a_month_that_a_future_dump_does_not_have_stays(house: House, tmp_path: Path) -> None:
    """The dump's time is after the month's end, and its events are not in it."""
    target = tmp_path / "events"
    target.mkdir()
    dumped(house, by=AHEAD)
    house.store()
    months.age(house)
    (refused,) = months.detach(house, target)
    assert (refused.outcome, "catalog dump" in refused.detail) == (Outcome.REFUSED, True)
    dumped(house)
    assert {month.outcome for month in months.detach(house, target)} == {Outcome.DONE}


def segment(start: int, end: int, *, cluster: str = "7-1") -> EventSegment:
    """A segment with these bounds."""
    return EventSegment(f"{cluster}-{start}-{end}", 1, "", cluster, start, end)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], []),
        ([segment(0, 10), segment(10, 20)], [(0, 10), (10, 20)]),
        ([segment(10, 20)], []),  # the first is lost
        ([segment(0, 10), segment(11, 20)], [(0, 10)]),  # there is a gap
        ([segment(0, 10), segment(0, 30), segment(10, 20)], [(0, 30)]),
        ([segment(0, 10), segment(10, 10)], [(0, 10)]),  # an open transaction held up the horizon
        ([segment(0, 10), segment(10, 41)], [(0, 10)]),  # this server has not been there
        ([segment(0, 10, cluster="7-2"), segment(0, 5)], [(0, 5)]),  # another server's order
    ],
)
def test_a_chain_has_no_gap(found: list[EventSegment], expected: list[tuple[int, int]]) -> None:
    """Only segments of this server's order count, up to where it is."""
    assert [(each.start, each.end) for each in dump_files.chain(found, Horizon("7-1", 40))] == expected


def test_a_segments_name_has_its_bounds(house: House) -> None:
    """A listing is enough to know a chain."""
    name = dumped(house)
    store = dump.dumps_home(house.keeper.engine)
    with house.keeper.engine.catalog.reading() as connection:
        line = epochs.standing(connection).epoch.line
    assert isinstance(line, UUID)
    assert tuple(dump_files.segments(store, line)) == dump_files.read_manifest(store, name).events
