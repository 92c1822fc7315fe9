"""The gate for times, at each of its entrances that are pure."""

from datetime import UTC, datetime, timedelta, timezone

import click
import pytest
from unit.policy.samples import policy

from tierkeeper.base import clock
from tierkeeper.base.clock import Outside
from tierkeeper.base.errors import UnreadableClock
from tierkeeper.cli.support.params import MOMENT, MOMENT_AHEAD
from tierkeeper.policy.clocks import check_metadata
from tierkeeper_client import times
from tierkeeper_client.contract import StoreArgs, validated
from tierkeeper_client.errors import InvalidInput

EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
OUTSIDE = [
    datetime(1, 1, 1, tzinfo=EAST),
    datetime(1899, 12, 31, 23, 59, tzinfo=UTC),
    datetime(1900, 1, 1, 13, tzinfo=EAST),
    datetime(9000, 1, 1, tzinfo=UTC),
    datetime(8999, 12, 31, 12, tzinfo=WEST),
    datetime(9999, 12, 31, 23, tzinfo=WEST),
]
GOOD = {"tenant": "acme", "workflow": "w", "name": "a", "content": {"kind": "inline", "data": ""}}


@pytest.mark.parametrize("moment", OUTSIDE, ids=str)
def test_outside(moment: datetime) -> None:
    """What is before 1900 or from 9000 on in UTC is refused by messages, commands and policies' clocks alike."""
    text = moment.isoformat()
    with pytest.raises(InvalidInput, match="1900 to 9000"):
        validated(StoreArgs, {**GOOD, "created": text})
    for kind in (MOMENT, MOMENT_AHEAD):
        with pytest.raises(click.BadParameter, match="1900 to 9000"):
            kind.convert(text, None, None)
    with pytest.raises(UnreadableClock, match="1900 to 9000"):
        check_metadata(policy(clock="metadata:signed"), {"signed": text})
    assert isinstance(clock.utc(moment), Outside)
    assert not times.within(moment)


@pytest.mark.parametrize("moment", [times.FIRST, times.LAST, datetime(1900, 1, 1, 14, tzinfo=EAST)], ids=str)
def test_within(moment: datetime) -> None:
    """The ends of the gate are within it, and come out in UTC."""
    read = validated(StoreArgs, {**GOOD, "created": moment.isoformat()}).created
    assert read == moment
    assert read.tzinfo is UTC
    assert not isinstance(clock.utc(moment), Outside)


def test_naive() -> None:
    """A time without a zone is none that anybody can compare."""
    with pytest.raises(InvalidInput, match=r"no time zone.*2026-01-01T00:00:00Z"):
        times.checked(datetime(2026, 1, 1), field="created")  # noqa: DTZ001  naive is what it is about
