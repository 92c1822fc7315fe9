"""Take braked artifacts out of the claims and give them back, in batches."""

from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.states import RunState
from tierkeeper.catalog import brake, runs
from tierkeeper.catalog.brake import Scope
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.database import now as catalog_now

_BATCH = 20_000  # rows of the schedule per transaction


def hold(catalog: Database, scope: Scope, run: UUID, *, caller: Caller) -> None:
    """Take everything that a scope's policies are due to delete out of the claims, while the run awaits approval."""
    while catalog.run(caller, _hold_batch, scope, run) == _BATCH:
        pass


def _hold_batch(connection: sa.Connection, scope: Scope, run: UUID) -> int:
    found = runs.lock_judged(connection, run)
    if found is None or found.state is not RunState.AWAITING_APPROVAL:
        return 0  # a row that is held for a decided run would wait forever
    return brake.stop(connection, scope, run, now=catalog_now(connection), limit=_BATCH)


def release(catalog: Database, run: UUID, *, caller: Caller) -> None:
    """Return every row that a run still holds to the claims."""
    while catalog.run(caller, brake.release, run, limit=_BATCH) == _BATCH:
        pass
