"""Aware UTC datetimes only."""

from datetime import UTC, datetime
from typing import Self

from tierkeeper_client import times


class Outside(datetime):
    """Stands for a time outside the gate (see :mod:`tierkeeper_client.times`): the end of the gate that it is beyond.

    What was written before there was a gate, or by other hands, is read as such and stops nothing. It tells no age.
    """

    @classmethod
    def beginning(cls) -> Self:
        """Return what stands for a time before the gate."""
        return cls.fromtimestamp(times.FIRST.timestamp(), UTC)

    @classmethod
    def end(cls) -> Self:
        """Return what stands for a time after the gate."""
        return cls.fromtimestamp(times.LAST.timestamp(), UTC)


def now() -> datetime:
    """Return this machine's time, aware, UTC. Decisions use PostgreSQL's time instead."""
    return datetime.now(UTC)


def utc(moment: datetime) -> datetime:
    """Return ``moment`` in UTC, or :class:`Outside` for it; a naive one is refused with ``ValueError``."""
    if moment.tzinfo is None:
        msg = f"{moment.isoformat()} has no time zone: write it with one, for example {moment.isoformat()}Z"
        raise ValueError(msg)
    if isinstance(moment, Outside):
        return moment
    if times.within(moment):
        return moment.astimezone(UTC)
    return Outside.beginning() if moment.year < times.END_YEAR - 1 else Outside.end()
