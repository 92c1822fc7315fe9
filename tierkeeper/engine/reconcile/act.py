"""What a reconcile does about its findings: report bad copies, so that converge repairs them, and delete old orphans.

Orphans go in three parts. Nothing is locked meanwhile but their own rows: a location is never used twice and its row
comes before its bytes (R1), so bytes that have no row when they are looked up can never be committed by anybody (R3).

- mark (transaction): THE DECISION POINT. What is in quarantine long enough and was seen again, and still has no
  placement; deletes are enabled and the catalog is trusted. A crash leaves rows with ``deleting_at``.
- delete: in the store, by exact version where there is one; what is gone already counts as deleted. A crash leaves the
  same rows; the next reconcile finds the bytes gone and writes the events, or deletes them.
- forget (transaction): the rows go, with an event each.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.placements import OrphanBytes, OrphanDeleted
from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import DeletesDisabled
from tierkeeper.base.ids import new_id
from tierkeeper.catalog import artifacts, events, inventory, placements, quarantine, switches
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.quarantine import Orphan
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import check, damage, removal, suspects
from tierkeeper.engine.copies.opener import Read
from tierkeeper.engine.reconcile.look import Bad, Look
from tierkeeper.engine.trust import epoch
from tierkeeper.stores.base import DeleteState, ObjectKey
from tierkeeper.stores.errors import StoreError

_log = log.get(__name__)

_BATCH = 500


def repair(
    engine: Engine, look: Look, *, caller: Caller, progress: Callable[[int], None] = lambda _done: None
) -> Counter[str]:
    """Report a tier's bad copies, and heal those whose bytes are right again; return what was done."""
    counts: Counter[str] = Counter()
    found = look.bad()
    while batch := list(islice(found, _BATCH)):
        with engine.catalog.reading() as connection:
            copies = {copy.id: copy for copy in placements.load(connection, [each.placement for each in batch])}
            owners = inventory.owners(connection, {copy.blob_id for copy in copies.values()})
            rows = {row.id: row for row in artifacts.load(connection, list(owners.values()))}
        there = [copies[each.placement] for each in batch if each.wrong is None and each.placement in copies]
        counts += suspects.look_again(engine, [copy for copy in there if copy.suspect], caller=caller)
        for each in batch:
            copy = copies.get(each.placement)
            if copy is not None and (each.wrong is not None or copy.damaged_at is not None):
                counts[_about(engine, each, copy, rows.get(owners.get(copy.blob_id, copy.id)), caller=caller)] += 1
        progress(0)
    return +counts


def _about(engine: Engine, bad: Bad, copy: PlacementRow, owner: ArtifactRow | None, *, caller: Caller) -> str:
    """Do what is to be done about one bad copy; return the word it is counted as."""
    if bad.wrong is not None:
        # the look read the mark after its last answer
        reported = damage.report(engine, copy, bad.wrong, caller=caller, confirmed=True)
        words = {None: "passed over", damage.Reported.DAMAGED: "reported"}
        return words.get(reported) or damage.Reported.SUSPECT.value
    if engine.refused([copy.tier]):  # the mark before; heal reads the one after (R19)
        return "still damaged"
    try:
        found = None if owner is None else check.check(engine, copy, owner.content, pinned=False)
        if isinstance(found, Read):
            return "healed" if damage.heal(engine, copy, caller=caller, pin=found.pin) else "passed over"
    except StoreError as error:
        _log.warning("a damaged copy could not be read again", tier=copy.tier, location=copy.location, error=str(error))
    return "still damaged"


def delete_orphans(
    engine: Engine,
    looks: Sequence[Look],
    *,
    caller: Caller,
    run: UUID | None,
    progress: Callable[[int], None],
) -> Counter[str]:
    """Delete what these looks saw again after its quarantine; raises DeletesDisabled and CatalogRestored."""
    counts: Counter[str] = Counter()
    for look in looks:
        after: Orphan | None = None
        while ripe := _ripe(engine, look, after):
            after = ripe[-1]
            going = mark(engine, look.tier, ripe)
            deleted = delete(engine, look.tier, going)
            counts["orphans deleted"] += forget(engine, look.tier, deleted, caller=caller, run=run)
            counts["orphans not deleted"] += len(going) - len(deleted)
            progress(0)
    return +counts


def forget_gone(engine: Engine, look: Look, *, caller: Caller, run: UUID | None) -> int:
    """Forget orphans that this look did not see any more: they are gone, or have a placement now; return how many."""
    count = 0
    while True:
        with engine.catalog.reading() as connection:
            gone = quarantine.gone(connection, look.tier, since=look.began, limit=_BATCH)
        forgotten = forget(engine, look.tier, gone, caller=caller, run=run)
        count += forgotten
        if not forgotten:
            return count


def mark(engine: Engine, tier: str, orphans: Sequence[Orphan]) -> list[Orphan]:
    """Look each up afresh and decide about its deletion; forget those that have a placement."""

    def unit(connection: sa.Connection) -> list[Orphan]:
        refused = switches.deletes_refused(connection)
        if refused is not None:
            raise DeletesDisabled(reason=refused)
        epoch.require_trusted(connection)
        here = quarantine.lock(connection, tier, orphans)
        copies = inventory.at(connection, tier, {orphan.location for orphan in here})
        going = [orphan for orphan in here if _without_placement(orphan, copies.get(orphan.location))]
        quarantine.forget(connection, tier, [orphan for orphan in here if orphan not in going])
        quarantine.decide(connection, tier, going, now=catalog_now(connection))
        return going

    return engine.catalog.run(unit)


def delete(engine: Engine, tier: str, orphans: Sequence[Orphan]) -> list[Orphan]:
    """Delete the bytes in bulk; return those that are gone. A refusal is logged, and tried again the next time."""
    store = engine.store(tier)
    keys = [ObjectKey(orphan.location, orphan.version) for orphan in orphans]
    calls = [keys[start : start + store.delete_batch] for start in range(0, len(keys), store.delete_batch)]
    engine.marks.confirm(store, before=True)
    results = [result for call in calls for result in removal.remove(engine, tier, call)]
    engine.marks.confirm(store)  # else the rows stay, and the next reconcile asks again
    for result in results:
        if result.state is not DeleteState.DELETED:
            _log.warning("an orphan was not deleted", tier=tier, location=result.key.location, detail=result.detail)
    pairs = zip(orphans, results, strict=True)
    return [orphan for orphan, result in pairs if result.state is DeleteState.DELETED]


def forget(engine: Engine, tier: str, orphans: Sequence[Orphan], *, caller: Caller, run: UUID | None) -> int:
    """Forget these; an event for each whose deletion was decided; return how many were still there."""
    if not orphans:
        return 0

    def unit(connection: sa.Connection) -> int:
        now = catalog_now(connection)
        forgotten = quarantine.forget(connection, tier, orphans)
        ends = [orphan for orphan in forgotten if orphan.deleting_at is not None]
        events.append(connection, [_deleted(orphan, caller=caller, run=run) for orphan in ends], at=now)
        return len(forgotten)

    return engine.catalog.run(unit)


def _without_placement(orphan: Orphan, copy: inventory.Copy | None) -> bool:
    if copy is None:
        return True
    # a version beside the placement's own; a copy still being written has not said yet which version is its own
    return orphan.version is not None and copy.settled and copy.version not in {None, orphan.version}


def _deleted(orphan: Orphan, *, caller: Caller, run: UUID | None) -> events.Line:
    """The one event of an orphan's end; nothing else has its subject."""
    return events.Line(
        subject=new_id(),
        revision=1,
        payload=OrphanDeleted(
            before=OrphanBytes(
                tier=orphan.tier,
                location=orphan.location,
                version=orphan.version,
                size=orphan.size,
                first_seen=orphan.first_seen,
            )
        ),
        actor=caller.actor,
        run=run,
    )


def _ripe(engine: Engine, look: Look, after: Orphan | None) -> list[Orphan]:
    with engine.catalog.reading() as connection:
        return quarantine.ripe(
            connection,
            [look.tier],
            seen_since=look.began,
            first_before=look.ripe,
            after=after,
            limit=_BATCH,
        )
