"""Orphans as they are picked: first seen long enough ago, and seen again."""

from datetime import UTC, datetime, timedelta

import pytest
from support.house import House

from tierkeeper.catalog import quarantine

NOW = datetime(2026, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("first", "again", "ripe"),
    [
        (NOW - DAY, NOW, True),
        (NOW - 2 * DAY, NOW + DAY, True),
        (NOW - DAY + timedelta(seconds=1), NOW, False),
        (NOW - DAY, NOW - timedelta(seconds=1), False),
        (NOW - DAY, None, False),
    ],
)
def test_only_what_was_seen_twice_is_picked(
    house: House, first: datetime, again: datetime | None, *, ripe: bool
) -> None:
    """An orphan is picked if its first sighting is as old as is asked, and its last one as young."""
    house.sql(
        "INSERT INTO quarantine (tier, location, store_version, size, first_seen, seen_again)"
        " VALUES ('warm', 'where', '', 1, :first, :again)",
        first=first,
        again=again,
    )
    with house.keeper.engine.catalog.reading() as connection:
        found = quarantine.ripe(connection, "warm", seen_since=NOW, first_before=NOW - DAY, after=None, limit=10)
    assert [each.location for each in found] == ["where"] * ripe
