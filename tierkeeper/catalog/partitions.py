"""The months of the audit log: made ahead, so that the default partition stays empty."""

from datetime import UTC, datetime

import psycopg
import sqlalchemy as sa

_EXISTS = sa.text("SELECT to_regclass(:name) IS NOT NULL")
_LATE = sa.text("SELECT EXISTS (SELECT FROM events_default WHERE at >= :begin AND at < :end)")
# any number that nothing else in the database uses
_ADVISORY_LOCK = 0x7469657200000003
#: whoever writes or reads events waits behind it; there are months in which to try again
_BRIEFLY = sa.text("SET LOCAL lock_timeout = '1s'")
MONTHS_AHEAD = 3


def make_ahead(connection: sa.Connection, *, now: datetime) -> list[str]:
    """Make the partitions of this month and the next ones; return those made.

    Where others hold the log for longer than a second, what is missing is left to the next run. A month with events in
    the default partition already (no partition was made in time) stays there: its events are as safe and as append-only
    as the others.
    """
    created: list[str] = []
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    for ahead in range(MONTHS_AHEAD + 1):
        begin, end = _month(now, ahead), _month(now, ahead + 1)
        name = f"events_{begin:%Y_%m}"
        if connection.execute(_EXISTS, {"name": name}).scalar_one():
            continue
        if connection.execute(_LATE, {"begin": begin, "end": end}).scalar_one():
            continue
        try:
            with connection.begin_nested():
                _make(connection, name, begin, end)
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            return created
        created.append(name)
    return created


def _make(connection: sa.Connection, name: str, begin: datetime, end: datetime) -> None:
    connection.execute(_BRIEFLY)
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


def _month(moment: datetime, ahead: int) -> datetime:
    count = moment.astimezone(UTC).year * 12 + moment.astimezone(UTC).month - 1 + ahead
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
