"""Aware UTC datetimes only."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return this machine's time, aware, UTC. Decisions use PostgreSQL's time instead."""
    return datetime.now(UTC)


def utc(moment: datetime) -> datetime:
    """Return ``moment`` in UTC; a naive one is refused with ``ValueError``."""
    if moment.tzinfo is None:
        msg = f"{moment.isoformat()} has no time zone: write it with one, for example {moment.isoformat()}Z"
        raise ValueError(msg)
    return moment.astimezone(UTC)
