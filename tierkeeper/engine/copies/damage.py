"""Report a copy whose bytes are missing or wrong, so that converge replaces it; and withdraw such a report.

In a store that resolves the name of its place at each call (S3), "missing" takes two looks, the second after the
quarantine (R20): the name may lead elsewhere or the bucket answer wrongly for a moment, with the tier's mark back
before the mark is read. After the first look the copy is a suspect: it does not count, so no other copy is deleted
because of it, and it is not copied again either. Its artifacts become due when the quarantine is over, and converge
looks at it again; so do verify, reconcile and readers.

The row of a damaged copy stays: it is no source for other copies and is never rescued, so doomed copies are marked too.
Its artifacts become due, and converge replaces the copy from another tier that has it; the damaged one is then doomed
like any other. A doomed copy heals as a present one does: it may be the last one, and then converge rescues it.

A copy made by a server is as good as its source was at that moment, and when a source went bad is not known: once a
copy has other bytes than it should, its siblings that a server made and that were never read since are no longer
vouched for (R17).
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
from tierkeeper.catalog.database import Clocks, catalog_now, clocks
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.engine.record import record
from tierkeeper.settings.settings import Settings

_log = log.get(__name__)

#: at most so many artifacts of the content get the event and become due; any one of them repairs it for all
_TOLD = 100


class Reported(Enum):
    """What became of a reported copy; the values are the keys of a run's counts."""

    DAMAGED = "damaged"
    SUSPECT = "not found"  # looked for again when the quarantine is over


def report(
    engine: Engine, placement: PlacementRow, wrong: Wrong, *, caller: Caller, confirmed: bool = False
) -> Reported | None:
    """Record what is wrong with a copy; return what it was marked as.

    None, and nothing recorded: it was damaged already, it is being deleted or is gone, or the store's answer was not
    confirmed to come from the tier's own place (R19). The caller may have ``confirmed`` that for many copies at once.
    """
    if not confirmed and engine.refused([placement.tier]):
        return None
    marked = engine.catalog.run(caller, _mark_wrong, engine, placement, wrong, caller=caller)
    if marked is None:
        return None
    reported, copies_left, rows = marked
    where = {"tier": placement.tier, "location": placement.location, "reason": wrong.reason}
    if reported is Reported.SUSPECT:
        _log.warning("a copy was not found; it is looked for again after the quarantine", **where)
    elif rows and not copies_left:
        _log.error("no readable copy is left", of=", ".join(str(row.ref) for row in rows[:3]), **where)
    return reported


def _mark_wrong(
    connection: sa.Connection, engine: Engine, placement: PlacementRow, wrong: Wrong, *, caller: Caller
) -> tuple[Reported, int, list[ArtifactRow]] | None:
    """Return what the copy was marked as, the number of readable copies left, and the artifacts that got the event."""
    blobs.lock(connection, [placement.blob_id])
    copies = placements.of_blobs(connection, [placement.blob_id])[placement.blob_id]
    current = next((copy for copy in copies if copy.id == placement.id), None)
    if current is None or not current.readable:
        return None
    rows = _owners(connection, placement)
    now = clocks(connection)
    others = [copy for copy in copies if copy.id != placement.id]
    copies_left = sum(copy.readable for copy in others)
    if second_look_after(engine, current.tier, wrong, missed=current.missed_at, now=now) is not None:
        _miss(connection, engine.settings, current, rows, wrong, copies_left=copies_left, caller=caller, now=now)
        return Reported.SUSPECT, copies_left, rows
    # a missing copy showed no wrong bytes: its siblings stay vouched for
    doubted = set() if wrong.missing else placements.doubt(connection, [copy.id for copy in others])
    if doubted or current.state is PlacementState.PRESENT:
        step = f"repair the copy in {placement.tier}"
        schedule.put(connection, [schedule.Coming(a.id, a.tenant, now.catalog, step) for a in rows])
    placements.mark_damaged(connection, placement.id, now=now.catalog)
    unvouched = {copy.tier for copy in others if copy.id in doubted} or None
    after = DamagedCopy(reason=wrong.reason, copies_left=copies_left, unvouched=unvouched)
    record(connection, rows, CopyDamaged(before=_place(placement), after=after), now=now.catalog, caller=caller)
    return Reported.DAMAGED, copies_left, rows


def found_again(engine: Engine, placement: PlacementRow, *, caller: Caller, confirmed: bool = False) -> bool:
    """Withdraw that a suspect was not found: since its row was loaded, the copy was seen at its location.

    False if it is no suspect, was missed again meanwhile, or the place is not confirmed (see :func:`report`).
    """
    missed = placement.missed_at
    if missed is None or (not confirmed and engine.refused([placement.tier])):
        return False
    return engine.catalog.run(caller, _withdraw_miss, placement, missed=missed, caller=caller)


def _withdraw_miss(connection: sa.Connection, placement: PlacementRow, *, missed: datetime, caller: Caller) -> bool:
    blobs.lock(connection, [placement.blob_id])
    rows = _owners(connection, placement)
    now = catalog_now(connection)
    if not placements.mark_found_again(connection, placement.id, missed=missed):
        return False
    _good_again(connection, placement, rows, CopyFoundAgain, now=now, caller=caller)
    return True


def heal(engine: Engine, placement: PlacementRow, *, caller: Caller, pin: str | None = None) -> bool:
    """Withdraw that a copy is damaged: its bytes were read since its row was loaded, under this ``pin``, and are right.

    False if it was not damaged, was found damaged again since, is being deleted, or the tier's place is not confirmed
    (R19).
    """
    damaged = placement.damaged_at
    if damaged is None or engine.refused([placement.tier]):
        return False
    return engine.catalog.run(caller, _withdraw_damage, placement, damaged=damaged, pin=pin, caller=caller)


def _withdraw_damage(
    connection: sa.Connection, placement: PlacementRow, *, damaged: datetime, pin: str | None, caller: Caller
) -> bool:
    blobs.lock(connection, [placement.blob_id])
    rows = _owners(connection, placement)
    now = catalog_now(connection)
    if not placements.mark_healed(connection, placement.id, damaged=damaged, pin=pin, now=now):
        return False
    _good_again(connection, placement, rows, CopyHealed, now=now, caller=caller)
    return True


def second_look_after(
    engine: Engine, tier: str, wrong: Wrong, *, missed: datetime | None, now: Clocks
) -> datetime | None:
    """Return when the second look at a copy may begin, if this finding makes it, or leaves it, a suspect (R20).

    None: the copy is damaged. ``missed``: when the first look missed it. The second look has to begin after the
    quarantine, by the catalog's clock and by this machine's.
    """
    if not wrong.missing or engine.store(tier).bound:
        return None
    if missed is None or missed > now.later:  # a future time does not count: it was recorded by a clock that was ahead
        return now.later + engine.settings.reconcile.quarantine
    again = missed + engine.settings.reconcile.quarantine
    looked = now.earlier - timedelta(seconds=wrong.ago)
    return again if looked < again else None


def _miss(
    connection: sa.Connection,
    settings: Settings,
    copy: PlacementRow,
    rows: list[ArtifactRow],
    wrong: Wrong,
    *,
    copies_left: int,
    caller: Caller,
    now: Clocks,
) -> None:
    if copy.missed_at is not None and copy.missed_at <= now.later:
        return
    again, step = now.later + settings.reconcile.quarantine, f"look again for the copy in {copy.tier}"
    if copy.state is PlacementState.PRESENT:
        coming = [schedule.Coming(a.id, a.tenant, again, step) for a in rows]
        schedule.put_if_missing(connection, coming)
        schedule.hasten(connection, coming)
    placements.mark_missed(connection, copy.id, now=now)
    after = MissedCopy(reason=wrong.reason, copies_left=copies_left, looked_for_after=again)
    record(connection, rows, CopyNotFound(before=_place(copy), after=after), now=now.catalog, caller=caller)


def _good_again(
    connection: sa.Connection,
    copy: PlacementRow,
    rows: list[ArtifactRow],
    event: type[CopyFoundAgain] | type[CopyHealed],
    *,
    now: datetime,
    caller: Caller,
) -> None:
    """Make the artifacts that need this copy due, with their attempts reset, and write their events."""
    step = f"the copy in {copy.tier} is good again"
    schedule.put(connection, [schedule.Coming(a.id, a.tenant, now, step) for a in rows])
    schedule.start_afresh(connection, [copy.blob_id], now=now)
    record(connection, rows, event(after=_place(copy)), now=now, caller=caller)


def _place(copy: PlacementRow) -> CopyPlace:
    return CopyPlace(tier=copy.tier, location=copy.location)


def _owners(connection: sa.Connection, placement: PlacementRow) -> list[ArtifactRow]:
    """Lock and return up to ``_TOLD`` of the artifacts that need the content."""
    owners = artifacts.some_counted(connection, [placement.blob_id], limit=_TOLD)
    return artifacts.lock(connection, [artifact for artifact, _ in owners])
