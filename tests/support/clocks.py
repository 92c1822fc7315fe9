"""A clock that is wrong for a while: the machine's, or the catalog's."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from support.house import House
from tierkeeper.base import clock


@contextmanager
def wrong(house: House, which: str, by: timedelta) -> Iterator[None]:
    """For a while one clock is wrong by this: the machine's, or the catalog's, which is what all rows are seen by."""
    with pytest.MonkeyPatch.context() as patch:
        ahead = by if which == "machine" else -by
        patch.setattr(clock, "now", lambda: datetime.now(UTC) + ahead)
        if which == "catalog":
            house.pass_time(by)
        yield
    if which == "catalog":
        house.pass_time(-by)
