"""Take braked artifacts out of the claims and give them back, in batches."""

from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.states import RunState
from tierkeeper.catalog import brake_counts, runs
from tierkeeper.catalog.brake_counts import Scope
from tierkeeper.catalog.database import Database, catalog_now

_BATCH = 20_000  # rows of the schedule per transaction


def stop(catalog: Database, scope: Scope, run: UUID, *, lease_seconds: float, caller: Caller) -> None:
    """Take everything that a scope's policies are due to delete out of the claims, while the run awaits approval."""
    while catalog.run(caller, _stop_batch, scope, run, lease_seconds=lease_seconds) == _BATCH:
        pass


def _stop_batch(connection: sa.Connection, scope: Scope, run: UUID, *, lease_seconds: float) -> int:
    approval_run = runs.lock_for_approval(connection, run)
    if approval_run is None or approval_run.state is not RunState.AWAITING_APPROVAL:
        return 0  # a row that is held for a decided run would wait forever
    now = catalog_now(connection)
    return brake_counts.stop(connection, scope, run, now=now, lease_seconds=lease_seconds, limit=_BATCH)


def release(catalog: Database, run: UUID, *, caller: Caller) -> None:
    """Return every row that a run still holds to the claims."""
    while catalog.run(caller, brake_counts.release, run, limit=_BATCH) == _BATCH:
        pass
