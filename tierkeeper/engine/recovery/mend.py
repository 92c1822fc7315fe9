"""Bring artifacts whose rows break the gate within what the catalog takes (see migration 0010), each with an event.

An age that cannot be read begins when the artifact was stored, a read at a time that cannot be read was just now, an
end that cannot be read does not come; metadata that are no object are kept in a field of their own. Nothing is due by
it: what was parked is retried by an operator.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import ArtifactMended, MendedRow
from tierkeeper.audit.catalog import ClearedTimes, TimesCleared
from tierkeeper.base.callers import Caller
from tierkeeper.catalog import artifacts, epochs, events, future, unreadable
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.engine.context import Engine
from tierkeeper.engine.record import record
from tierkeeper.settings.settings import Settings
from tierkeeper.values.recovery import Mended

_PAGE: Final = 500
_MARGIN: Final = timedelta(days=1)


def mend(catalog: Database, *, caller: Caller, reason: str, dry_run: bool) -> Iterator[Mended]:
    """Yield each artifact whose row is mended, or would be, with the columns that could not be read."""
    after = UUID(int=0)
    while True:
        with catalog.reading() as connection:
            ids = unreadable.page(connection, after=after, limit=_PAGE)
        if not ids:
            return
        after = ids[-1]
        yield from catalog.run(caller, _mend_page, ids, caller=caller, reason=reason, dry_run=dry_run)


def _mend_page(
    connection: sa.Connection, ids: Sequence[UUID], *, caller: Caller, reason: str, dry_run: bool
) -> list[Mended]:
    artifacts.lock_only(connection, ids)
    broken = unreadable.still(connection, ids)
    rows = [row for row in artifacts.load(connection, ids) if row.id in broken]
    columns = {row.id: row.unreadable for row in rows}
    if not dry_run:
        record(  # its UPDATE of the revision is what mends the row
            connection,
            rows,
            lambda row: ArtifactMended(after=MendedRow(columns=columns[row.id], reason=reason)),
            now=catalog_now(connection),
            caller=caller,
        )
    return [Mended(row.ref, columns[row.id]) for row in rows]


def beyond(settings: Settings, now: datetime) -> datetime:
    """Return the time after which no lease, sign of life or retry ends that is written now, by a day's margin."""
    return now + max(settings.engine.lease_cap, settings.broker.visibility_timeout, settings.staging.ttl) + _MARGIN


def clear_future(engine: Engine, *, caller: Caller, reason: str, dry_run: bool) -> Mapping[str, int]:
    """Clear times that were written by a clock which was ahead, with an event; return how many by table and column."""
    return engine.catalog.run(caller, _clear, engine.settings, caller=caller, reason=reason, dry_run=dry_run)


def _clear(
    connection: sa.Connection, settings: Settings, *, caller: Caller, reason: str, dry_run: bool
) -> dict[str, int]:
    if not dry_run:
        epochs.lock(connection)
    now = catalog_now(connection)
    cleared = future.clear(connection, future=beyond(settings, now), dry_run=dry_run)
    if cleared and not dry_run:
        payload = TimesCleared(after=ClearedTimes(columns=cleared, reason=reason))
        events.append_next(connection, epochs.CATALOG, payload, by=caller.actor, at=now)
    return cleared
