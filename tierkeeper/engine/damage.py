"""Reporting a copy whose bytes are missing or bad, so that converge makes it anew.

The damaged row stays: it is no source and is never rescued, so doomed copies are marked too. Its artifacts become due,
and converge replaces the copy from another tier where one has it; the damaged bytes are then doomed like any copy.
"""

import sqlalchemy as sa

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import artifacts, blobs, events, placements, schedule
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine

#: artifacts of the content that are told and made due; one of them repairs it for all, however many there are
_TOLD = 100


def report(engine: Engine, placement: PlacementRow, *, reason: str, actor: str) -> bool:
    """Note that this copy is bad; False if that was known or the copy is on its way out."""

    def unit(connection: sa.Connection) -> bool:
        blobs.lock(connection, [placement.blob_id])
        now = catalog_now(connection)
        current = placements.load(connection, [placement.id])
        if not current or current[0].state not in {PlacementState.PRESENT, PlacementState.DOOMED}:
            return False
        owners = artifacts.some_counted(connection, [placement.blob_id], limit=_TOLD)
        rows = artifacts.lock(connection, [artifact for artifact, _ in owners])
        if not placements.mark_damaged(connection, placement.id, now=now):
            return False
        if current[0].state is PlacementState.PRESENT:
            schedule.put(connection, [(a.id, a.tenant, now, f"repair the copy in {placement.tier}") for a in rows])
        lines = [
            events.of_artifact(
                row,
                "damaged",
                revision=row.revision + 1,
                now=now,
                actor=actor,
                before={"tier": placement.tier, "location": placement.location},
                after={"reason": reason},
            )
            for row in rows
        ]
        artifacts.write_many(connection, [{"id": row.id, "revision": row.revision + 1} for row in rows])
        events.append(connection, lines, at=now)
        return True

    return engine.catalog.run(unit)
