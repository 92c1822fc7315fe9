"""Reporting a copy whose bytes are missing or bad, so that converge makes it anew; and taking that back.

Where each call of a store goes where the name leads (S3) "missing" takes two looks, the second after the quarantine
(R20): a bucket may be led elsewhere or answer wrongly for a moment, its mark back before it is read. After the first
look the copy is a suspect: it counts for nothing, so nothing goes on its word, and it is not made anew either. Its
artifacts come due when the quarantine is over, and converge looks at it again; so do verify, reconcile and readers.

The damaged row stays: it is no source and is never rescued, so doomed copies are marked too. Its artifacts become due,
and converge replaces the copy from another tier where one has it; the damaged bytes are then doomed like any copy. A
doomed copy heals as a present one does: it may be the last, and then converge rescues it.

Copies that a server made are as good as what they were made from, and when that went bad nobody knows: once a copy has
other bytes than it should, nobody vouches any more for those siblings that were never read (R17).
"""

from datetime import datetime, timedelta
from enum import Enum

import sqlalchemy as sa

from tierkeeper.audit.artifacts import (
    CopyDamaged,
    CopyFoundAgain,
    CopyHealed,
    CopyNotFound,
    CopyPlace,
    DamagedCopy,
    MissedCopy,
)
from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.states import PlacementState
from tierkeeper.catalog import artifacts, blobs, placements, schedule
from tierkeeper.catalog.database import Clocks, clocks
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.record import record

_log = log.get(__name__)

#: artifacts of the content that are told and made due; one of them repairs it for all, however many there are
_TOLD = 100


class Reported(Enum):
    """What became of a copy that was reported; the words are what runs count."""

    DAMAGED = "damaged"
    SUSPECT = "not found"  # looked for again when the quarantine is over


def report(
    engine: Engine, placement: PlacementRow, wrong: Wrong, *, caller: Caller, confirmed: bool = False
) -> Reported | None:
    """Note what is wrong with this copy; return what it is now.

    None: it was damaged before, the copy is going, or what its store said is not of the tier's own place (R19), which
    the caller may have ``confirmed`` for many copies at once.
    """
    if not confirmed and engine.refused([placement.tier]):
        return None

    def unit(connection: sa.Connection) -> tuple[Reported, int, list[ArtifactRow]] | None:
        blobs.lock(connection, [placement.blob_id])
        now = clocks(connection)
        copies = placements.of_blobs(connection, [placement.blob_id])[placement.blob_id]
        current = next((copy for copy in copies if copy.id == placement.id), None)
        if current is None or not current.readable:
            return None
        rows = _owners(connection, placement)
        others = [copy for copy in copies if copy.id != placement.id]
        left = sum(copy.readable for copy in others)
        if looked_for_after(engine, current.tier, wrong, missed=current.missed_at, now=now) is not None:
            _miss(connection, engine, current, rows, wrong, left=left, caller=caller, now=now)
            return Reported.SUSPECT, left, rows
        # where nothing is there, no bytes of it were seen to be wrong: its siblings stay vouched for
        doubted = set() if wrong.missing else placements.doubt(connection, [copy.id for copy in others])
        if doubted or current.state is PlacementState.PRESENT:
            step = f"repair the copy in {placement.tier}"
            schedule.put(connection, [schedule.Coming(a.id, a.tenant, now.catalog, step) for a in rows])
        placements.mark_damaged(connection, placement.id, now=now.catalog)
        unvouched = {copy.tier for copy in others if copy.id in doubted} or None
        after = DamagedCopy(reason=wrong.reason, copies_left=left, unvouched=unvouched)
        record(connection, rows, CopyDamaged(before=_place(placement), after=after), now=now.catalog, caller=caller)
        return Reported.DAMAGED, left, rows

    found = engine.catalog.run(unit)
    if found is None:
        return None
    reported, left, rows = found
    where = {"tier": placement.tier, "location": placement.location, "reason": wrong.reason}
    if reported is Reported.SUSPECT:
        _log.warning("a copy was not found; it is looked for again after the quarantine", **where)
    elif rows and not left:
        _log.error("no readable copy is left", of=", ".join(str(row.ref) for row in rows[:3]), **where)
    return reported


def found_again(engine: Engine, placement: PlacementRow, *, caller: Caller, confirmed: bool = False) -> bool:
    """Take back that a suspect was not found: it was seen where it should be, since it was loaded.

    False if it is none, was missed anew meanwhile, or is not in the tier's own place (see :func:`report`).
    """
    missed = placement.missed_at
    if missed is None or (not confirmed and engine.refused([placement.tier])):
        return False

    def unit(connection: sa.Connection) -> bool:
        blobs.lock(connection, [placement.blob_id])
        now = catalog_now(connection)
        if not placements.mark_found_again(connection, placement.id, missed=missed):
            return False
        _good_again(connection, placement, CopyFoundAgain, now=now, caller=caller)
        return True

    return engine.catalog.run(unit)


def heal(engine: Engine, placement: PlacementRow, *, caller: Caller, pin: str | None = None) -> bool:
    """Take back that a copy is bad: its bytes were just read, by this ``pin``, and are right.

    False if it is not damaged or is going.
    """
    if engine.refused([placement.tier]):
        return False

    def unit(connection: sa.Connection) -> bool:
        blobs.lock(connection, [placement.blob_id])
        now = catalog_now(connection)
        current = placements.load(connection, [placement.id])
        if not current or not current[0].kept or current[0].damaged_at is None:
            return False
        placements.mark_healed(connection, placement.id, pin=pin, now=now)
        _good_again(connection, placement, CopyHealed, now=now, caller=caller)
        return True

    return engine.catalog.run(unit)


def looked_for_after(
    engine: Engine, tier: str, wrong: Wrong, *, missed: datetime | None, now: Clocks
) -> datetime | None:
    """Return when a copy of which this is wrong is looked for again, where this look leaves it a suspect (R20).

    None: it is damaged. ``missed``: when its first look was. The second begins after the quarantine, by both clocks.
    """
    if not wrong.missing or engine.store(tier).bound:
        return None
    if missed is None or missed > now.later:  # a time to come is none: it was noted by a clock that was ahead
        return now.later + engine.settings.reconcile.quarantine
    again = missed + engine.settings.reconcile.quarantine
    looked = now.earlier - timedelta(seconds=wrong.ago)
    return again if looked < again else None


def _miss(
    connection: sa.Connection,
    engine: Engine,
    copy: PlacementRow,
    rows: list[ArtifactRow],
    wrong: Wrong,
    *,
    left: int,
    caller: Caller,
    now: Clocks,
) -> None:
    if copy.missed_at is not None and copy.missed_at <= now.later:
        return
    again, step = now.later + engine.settings.reconcile.quarantine, f"look again for the copy in {copy.tier}"
    if copy.state is PlacementState.PRESENT:
        coming = [schedule.Coming(a.id, a.tenant, again, step) for a in rows]
        schedule.put_if_missing(connection, coming)
        schedule.hasten(connection, coming)
    placements.mark_missed(connection, copy.id, now=now)
    after = MissedCopy(reason=wrong.reason, copies_left=left, looked_for_after=again)
    record(connection, rows, CopyNotFound(before=_place(copy), after=after), now=now.catalog, caller=caller)


def _good_again(
    connection: sa.Connection,
    copy: PlacementRow,
    event: type[CopyFoundAgain] | type[CopyHealed],
    *,
    now: datetime,
    caller: Caller,
) -> None:
    """Make due who needs this copy, all attempts given back, and tell."""
    rows = _owners(connection, copy)
    step = f"the copy in {copy.tier} is good again"
    schedule.put(connection, [schedule.Coming(a.id, a.tenant, now, step) for a in rows])
    schedule.start_afresh(connection, [copy.blob_id], now=now)
    record(connection, rows, event(after=_place(copy)), now=now, caller=caller)


def _place(copy: PlacementRow) -> CopyPlace:
    return CopyPlace(tier=copy.tier, location=copy.location)


def _owners(connection: sa.Connection, placement: PlacementRow) -> list[ArtifactRow]:
    """Lock some of the artifacts that need the content."""
    owners = artifacts.some_counted(connection, [placement.blob_id], limit=_TOLD)
    return artifacts.lock(connection, [artifact for artifact, _ in owners])
