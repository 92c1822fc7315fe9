"""Other artifacts whose content lies at a readable location that carries the name of a purged artifact."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import Purged
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import artifacts, schedule
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.converge.change import Change


def hasten(
    connection: sa.Connection,
    changes: Sequence[Change],
    copies: Mapping[UUID, list[PlacementRow]],
    *,
    now: datetime,
) -> None:
    """Make one other artifact due for each content under a purged name, so that it is copied to a live name."""
    purged = {c.new.id for c in changes if c.event is Purged}
    named = {
        p.blob_id for b in copies.values() for p in b if p.artifact_id in purged and p.state is PlacementState.PRESENT
    }
    if not named:
        return
    others = artifacts.some_counted(connection, named, limit=1)
    step = "copy under a live name"
    schedule.put(connection, [schedule.Coming(artifact, tenant, now, step) for artifact, tenant in others])
