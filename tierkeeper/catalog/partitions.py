"""The months of the audit log: made ahead, so that the default partition stays empty; the old ones detached.

PostgreSQL detaches no partition CONCURRENTLY from a table with a default partition. The plain form takes the strongest
lock on the log for an instant, and waits for it :data:`_BRIEFLY` at most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import psycopg
import sqlalchemy as sa

_EXISTS = sa.text("SELECT to_regclass(:name) IS NOT NULL")
_LATE = sa.text("SELECT EXISTS (SELECT FROM events_default WHERE at >= :begin AND at < :end)")
# any number that nothing else in the database uses
_ADVISORY_LOCK = 0x7469657200000003
#: whoever writes or reads events waits behind it; there are months in which to try again
_BRIEFLY = sa.text("SET LOCAL lock_timeout = '1s'")
MONTHS_AHEAD = 3
_ATTACHED = sa.text(r"""
    SELECT c.relname
    FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = CAST('events' AS regclass) AND c.relname ~ '^events_\d{4}_\d\d$'
    ORDER BY c.relname
""")
#: detached, and not dropped: a partition's name that is there, is none, and has its month in a file
_LEFT = sa.text("""
    SELECT DISTINCT c.relname
    FROM segments s
        JOIN pg_class c ON c.oid = to_regclass('events_' || to_char(s.since AT TIME ZONE 'UTC', 'YYYY_MM'))
    WHERE NOT c.relispartition
    ORDER BY c.relname
""")
_HOLD = sa.text("LOCK TABLE events IN ACCESS SHARE MODE")
_OUTSIDE = sa.text("SELECT count(*) FROM events_default WHERE at < :before")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the audit log; ``since`` is its beginning in UTC."""

    since: datetime

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """Return the month of a moment."""
        return cls(_month(moment, 0))

    @property
    def until(self) -> datetime:
        """The beginning of the next month."""
        return _month(self.since, 1)

    @property
    def partition(self) -> str:
        """The name of its partition."""
        return f"events_{self.since:%Y_%m}"

    def __str__(self) -> str:
        return f"{self.since:%Y-%m}"


def make_ahead(connection: sa.Connection, *, now: datetime) -> list[str]:
    """Make the partitions of this month and the next ones; return those made.

    Where others hold the log for longer than a second, what is missing is left to the next run. A month with events in
    the default partition already (no partition was made in time) stays there: its events are as safe and as append-only
    as the others.
    """
    created: list[str] = []
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    for ahead in range(MONTHS_AHEAD + 1):
        month = Month(_month(now, ahead))
        if connection.execute(_EXISTS, {"name": month.partition}).scalar_one():
            continue
        if connection.execute(_LATE, {"begin": month.since, "end": month.until}).scalar_one():
            continue
        if not _briefly(connection, _make, month):
            return created
        created.append(month.partition)
    return created


def attached(connection: sa.Connection, *, before: datetime) -> list[Month]:
    """Return the months before a moment that have a partition, the oldest first."""
    months = map(_named, connection.execute(_ATTACHED).scalars())
    return [month for month in months if month.until <= before]


def is_attached(connection: sa.Connection, month: Month) -> bool:
    """Return whether a month has a partition that is one of the log's."""
    return month in attached(connection, before=month.until)


def hold(connection: sa.Connection) -> None:
    """Let no month leave the log until the transaction ends."""
    connection.execute(_HOLD)


def left(connection: sa.Connection) -> list[Month]:
    """Return the months that are detached, and whose table is still there."""
    return [_named(name) for name in connection.execute(_LEFT).scalars()]


def outside(connection: sa.Connection, *, before: datetime) -> int:
    """Return how many events before a moment are in no month's partition."""
    return int(connection.execute(_OUTSIDE, {"before": before}).scalar_one())


def count(connection: sa.Connection, month: Month) -> int:
    """Return how many events a month's partition has."""
    return int(connection.execute(sa.text(f"SELECT count(*) FROM {month.partition}")).scalar_one())


def keep_out(connection: sa.Connection, month: Month) -> bool:
    """Let no event be written in this month until the transaction ends; False if others write there now."""
    return _briefly(connection, _lock, month)


def detach(connection: sa.Connection, month: Month) -> bool:
    """Take a month's partition out of the log; False if others hold the log for longer than a second."""
    return _briefly(connection, _detach, month)


def drop(connection: sa.Connection, month: Month) -> None:
    """Drop the table of a month that is detached, if it is there; another process may do so at the same time."""
    if month in left(connection):
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {month.partition}"))


def _briefly(connection: sa.Connection, act: Callable[[sa.Connection, Month], None], month: Month) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(_BRIEFLY)
            act(connection, month)
    except sa.exc.OperationalError as error:
        if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise
        return False
    return True


def _lock(connection: sa.Connection, month: Month) -> None:
    connection.execute(sa.text(f"LOCK TABLE {month.partition} IN SHARE MODE"))


def _detach(connection: sa.Connection, month: Month) -> None:
    connection.execute(sa.text(f"ALTER TABLE events DETACH PARTITION {month.partition}"))


def _make(connection: sa.Connection, month: Month) -> None:
    name, begin, end = month.partition, month.since, month.until
    connection.execute(
        sa.text(f"CREATE TABLE {name} PARTITION OF events FOR VALUES FROM ('{begin:%F}') TO ('{end:%F}')")
    )
    # row triggers come with the parent; this one does not
    connection.execute(
        sa.text(
            f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {name}"
            " FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()"
        )
    )


def _named(partition: str) -> Month:
    return Month(datetime.strptime(partition, "events_%Y_%m").replace(tzinfo=UTC))


def _month(moment: datetime, ahead: int) -> datetime:
    count = moment.astimezone(UTC).year * 12 + moment.astimezone(UTC).month - 1 + ahead
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
