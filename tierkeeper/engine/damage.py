"""Reporting a copy whose bytes are missing or bad, so that converge makes it anew; and taking that back.

The damaged row stays: it is no source and is never rescued, so doomed copies are marked too. Its artifacts become due,
and converge replaces the copy from another tier where one has it; the damaged bytes are then doomed like any copy. A
doomed copy heals as a present one does: it may be the last, and then converge rescues it.

Copies that a server made are as good as what they were made from, and when that went bad nobody knows: once a copy has
other bytes than it should, nobody vouches any more for those siblings that were never read (R17).
"""

import sqlalchemy as sa

from tierkeeper.base import log as logs
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import artifacts, blobs, placements, schedule
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.record import record

log = logs.get(__name__)

#: artifacts of the content that are told and made due; one of them repairs it for all, however many there are
_TOLD = 100


def report(
    engine: Engine,
    placement: PlacementRow,
    *,
    reason: str,
    actor: str,
    confirmed: bool = False,
    missing: bool = False,
) -> int | None:
    """Note that this copy is bad; return how many others can be read.

    None: it was known, the copy is going, or what its store said is not of the tier's own place (R19), which the caller
    may have ``confirmed`` for many copies at once. ``missing``: nothing is there, so no bytes of it were seen to be
    wrong, and its siblings stay vouched for.
    """
    if not confirmed and engine.refused([placement.tier]):
        return None

    def unit(connection: sa.Connection) -> tuple[int, list[ArtifactRow]] | None:
        blobs.lock(connection, [placement.blob_id])
        now = catalog_now(connection)
        copies = placements.of_blobs(connection, [placement.blob_id])[placement.blob_id]
        current = next((copy for copy in copies if copy.id == placement.id), None)
        if current is None or not current.readable:
            return None
        rows = _owners(connection, placement)
        others = [copy for copy in copies if copy.id != placement.id]
        left = sum(copy.readable for copy in others)
        doubted = set() if missing else placements.doubt(connection, [copy.id for copy in others])
        if doubted or current.state is PlacementState.PRESENT:
            step = f"repair the copy in {placement.tier}"
            schedule.put(connection, [schedule.Coming(a.id, a.tenant, now, step) for a in rows])
        placements.mark_damaged(connection, placement.id, now=now)
        before = {"tier": placement.tier, "location": placement.location}
        after: dict[str, object] = {"reason": reason, "copies_left": left}
        if doubted:
            after["unvouched"] = sorted({copy.tier for copy in others if copy.id in doubted})
        record(connection, rows, "damaged", now=now, actor=actor, before=before, after=after)
        return left, rows

    found = engine.catalog.run(unit)
    if found is None:
        return None
    left, rows = found
    if rows and not left:
        lost = ", ".join(str(row.ref) for row in rows[:3])
        log.error("no readable copy is left", tier=placement.tier, location=placement.location, of=lost, reason=reason)
    return left


def heal(engine: Engine, placement: PlacementRow, *, actor: str) -> bool:
    """Take back that a copy is bad: its bytes were just read and are right. False if it is not damaged or is going."""
    if engine.refused([placement.tier]):
        return False

    def unit(connection: sa.Connection) -> bool:
        blobs.lock(connection, [placement.blob_id])
        now = catalog_now(connection)
        current = placements.load(connection, [placement.id])
        if not current or not current[0].kept or current[0].damaged_at is None:
            return False
        rows = _owners(connection, placement)
        step = f"the copy in {placement.tier} is good again"
        schedule.put(connection, [schedule.Coming(a.id, a.tenant, now, step) for a in rows])
        schedule.start_afresh(connection, [placement.blob_id], now=now)
        placements.mark_healed(connection, placement.id, now=now)
        after = {"tier": placement.tier, "location": placement.location}
        record(connection, rows, "healed", now=now, actor=actor, after=after)
        return True

    return engine.catalog.run(unit)


def _owners(connection: sa.Connection, placement: PlacementRow) -> list[ArtifactRow]:
    """Lock some of the artifacts that need the content."""
    owners = artifacts.some_counted(connection, [placement.blob_id], limit=_TOLD)
    return artifacts.lock(connection, [artifact for artifact, _ in owners])
