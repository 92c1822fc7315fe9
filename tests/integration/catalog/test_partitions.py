"""The months of the audit log."""

import time
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House

from tierkeeper.catalog import partitions

LINE = (
    "INSERT INTO events (subject, revision, at, type, actor) VALUES (gen_random_uuid(), 1, :at, 'a test', 'tester')"
    " RETURNING tableoid::regclass::text AS partition"
)


def make(house: House, now: datetime) -> list[str]:
    """Make the partitions as of a time."""
    return house.keeper.engine.catalog.run(TESTER, partitions.make_ahead, now=now)


def test_they_are_made_ahead(house: House) -> None:
    """Four months are there after init, none is made twice, and later ones are made as time passes."""
    now = datetime.now(UTC)
    assert make(house, now) == []
    assert make(house, datetime(2031, 11, 30, 23, 59, tzinfo=UTC)) == [
        "events_2031_11",
        "events_2031_12",
        "events_2032_01",
        "events_2032_02",
    ]
    (line,) = house.sql(LINE, at=datetime(2032, 1, 1, tzinfo=UTC))
    assert line.partition == "events_2032_01"
    (line,) = house.sql(LINE, at=datetime(2031, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert line.partition == "events_2031_12"


def test_a_late_line_is_kept(house: House) -> None:
    """A line of a month that nobody made in time lies in the default partition, and that month stays there."""
    late = datetime(2040, 5, 17, tzinfo=UTC)
    (line,) = house.sql(LINE, at=late)
    assert line.partition == "events_default"
    assert make(house, late) == ["events_2040_06", "events_2040_07", "events_2040_08"]
    (line,) = house.sql(LINE, at=late)
    assert line.partition == "events_default"
    for statement in ("DELETE FROM events WHERE at > '2040-01-01'", "UPDATE events_default SET actor = 'nobody'"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            house.sql(statement)


def test_who_reads_the_log_is_not_in_the_way_of_others(house: House) -> None:
    """A month that cannot be made at once is left to the next run: who writes events does not wait behind it."""
    later = datetime(2050, 1, 1, tzinfo=UTC)
    with house.keeper.engine.catalog.engine.connect() as reader, reader.begin():
        reader.execute(sa.text("SELECT count(*) FROM events"))
        begun = time.monotonic()
        assert make(house, later) == []
        assert time.monotonic() - begun < 10  # catalog.lock_timeout is 30 s
        house.sql(LINE, at=later)
    assert make(house, later) == ["events_2050_02", "events_2050_03", "events_2050_04"]
