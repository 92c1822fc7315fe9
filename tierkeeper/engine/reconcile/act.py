"""What a reconcile does about its findings: report bad copies, so that converge repairs them, and delete old orphans.

Orphans are deleted in three parts. Only their own rows are locked: a location is never used twice and its row is
committed before its bytes (R1), so bytes that have no row when they are looked up can never be committed later (R3).

- mark (transaction): THE DECISION POINT. An orphan goes if its quarantine is over, it was seen again, and it still has
  no placement, while deletes are enabled and the catalog is trusted. A crash leaves rows with ``deleting_at``.
- delete: in the store, by exact version where there is one; bytes that are gone already count as deleted. A crash
  leaves the same rows; the next reconcile finds the bytes gone and writes the events, or deletes them.
- forget (transaction): the rows are deleted, with an event each.
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
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.quarantine import Orphan
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import bulk_delete, check, damage, suspects
from tierkeeper.engine.copies.opener import Read
from tierkeeper.engine.reconcile.comparison import Bad, Comparison
from tierkeeper.engine.trust import epoch
from tierkeeper.stores.base import DeleteState, ObjectKey
from tierkeeper.stores.errors import StoreError

_log = log.get(__name__)

_BATCH = 500


def repair(
    engine: Engine, comparison: Comparison, *, caller: Caller, progress: Callable[[int], None] = lambda _done: None
) -> Counter[str]:
    """Report a tier's bad copies, and heal those whose bytes are right again; return the counts of each outcome."""
    counts: Counter[str] = Counter()
    bad = comparison.bad()
    while batch := list(islice(bad, _BATCH)):
        with engine.catalog.reading() as connection:
            copies = {copy.id: copy for copy in placements.load(connection, [each.placement for each in batch])}
            owners = inventory.owners(connection, {copy.blob_id for copy in copies.values()})
            rows = {row.id: row for row in artifacts.load(connection, list(owners.values()))}
        right = [copies[each.placement] for each in batch if each.wrong is None and each.placement in copies]
        counts += suspects.look_again(engine, [copy for copy in right if copy.suspect], caller=caller)
        for each in batch:
            copy = copies.get(each.placement)
            if copy is not None and (each.wrong is not None or copy.damaged_at is not None):
                counts[_about(engine, each, copy, rows.get(owners.get(copy.blob_id, copy.id)), caller=caller)] += 1
        progress(0)
    return +counts


def _about(engine: Engine, bad: Bad, copy: PlacementRow, owner: ArtifactRow | None, *, caller: Caller) -> str:
    """Report one bad copy, or heal it if its bytes are right; return the word that it is counted under."""
    if bad.wrong is not None:
        # the comparison has read the mark after its last answer: no second read is needed
        reported = damage.report(engine, copy, bad.wrong, caller=caller, confirmed=True)
        words = {None: "passed over", damage.Reported.DAMAGED: "reported"}
        return words.get(reported) or damage.Reported.SUSPECT.value
    if engine.refused([copy.tier]):  # the mark before the read; heal reads it again afterwards (R19)
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
    comparisons: Sequence[Comparison],
    *,
    caller: Caller,
    run: UUID | None,
    progress: Callable[[int], None],
) -> Counter[str]:
    """Delete the orphans that these comparisons saw again after their quarantine; return the counts.

    Raises DeletesDisabled and CatalogRestored.
    """
    counts: Counter[str] = Counter()
    for comparison in comparisons:
        after: Orphan | None = None
        while ripe := _ripe(engine.catalog, comparison, after):
            after = ripe[-1]
            going = mark(engine.catalog, comparison.tier, ripe, caller=caller)
            deleted = delete(engine, comparison.tier, going)
            counts["orphans deleted"] += forget(engine.catalog, comparison.tier, deleted, caller=caller, run=run)
            counts["orphans not deleted"] += len(going) - len(deleted)
            progress(0)
    return +counts


def forget_gone(catalog: Database, comparison: Comparison, *, caller: Caller, run: UUID | None) -> int:
    """Forget orphans that this comparison did not see again: gone, or with a placement now; return how many."""
    count = 0
    while True:
        with catalog.reading() as connection:
            gone = quarantine.gone(connection, comparison.tier, since=comparison.began, limit=_BATCH)
        forgotten = forget(catalog, comparison.tier, gone, caller=caller, run=run)
        count += forgotten
        if not forgotten:
            return count


def mark(catalog: Database, tier: str, orphans: Sequence[Orphan], *, caller: Caller) -> list[Orphan]:
    """Look up each orphan again and return those to be deleted; forget those that have a placement.

    Raises DeletesDisabled and CatalogRestored.
    """
    return catalog.run(caller, _decide_deletes, tier, orphans)


def _decide_deletes(connection: sa.Connection, tier: str, orphans: Sequence[Orphan]) -> list[Orphan]:
    refused = switches.deletes_refused(connection)
    if refused is not None:
        raise DeletesDisabled(reason=refused)
    epoch.require_trusted(connection)
    locked = quarantine.lock(connection, tier, orphans)
    copies = inventory.at(connection, tier, {orphan.location for orphan in locked})
    going = [orphan for orphan in locked if _without_placement(orphan, copies.get(orphan.location))]
    quarantine.forget(connection, tier, [orphan for orphan in locked if orphan not in going])
    quarantine.decide(connection, tier, going, now=catalog_now(connection))
    return going


def delete(engine: Engine, tier: str, orphans: Sequence[Orphan]) -> list[Orphan]:
    """Delete the bytes in bulk; return the orphans that are gone. A refusal is logged; the next reconcile retries it.

    Raises TierNotOurs unless the tier's mark is right before and after.
    """
    store = engine.store(tier)
    keys = [ObjectKey(orphan.location, orphan.version) for orphan in orphans]
    calls = [keys[start : start + store.delete_batch] for start in range(0, len(keys), store.delete_batch)]
    engine.marks.confirm(store, before=True)
    results = [result for call in calls for result in bulk_delete.remove(engine, tier, call)]
    engine.marks.confirm(store)  # else the rows stay, and the next reconcile deletes again
    for result in results:
        if result.state is not DeleteState.DELETED:
            _log.warning("an orphan was not deleted", tier=tier, location=result.key.location, detail=result.detail)
    pairs = zip(orphans, results, strict=True)
    return [orphan for orphan, result in pairs if result.state is DeleteState.DELETED]


def forget(catalog: Database, tier: str, orphans: Sequence[Orphan], *, caller: Caller, run: UUID | None) -> int:
    """Delete the rows of these orphans, with an event for each whose deletion was decided; return how many."""
    if not orphans:
        return 0
    return catalog.run(caller, _forget, tier, orphans, caller=caller, run=run)


def _forget(
    connection: sa.Connection, tier: str, orphans: Sequence[Orphan], *, caller: Caller, run: UUID | None
) -> int:
    now = catalog_now(connection)
    forgotten = quarantine.forget(connection, tier, orphans)
    ends = [orphan for orphan in forgotten if orphan.deleting_at is not None]
    events.append(connection, [_deleted(orphan, caller=caller, run=run) for orphan in ends], at=now)
    return len(forgotten)


def _without_placement(orphan: Orphan, copy: inventory.Copy | None) -> bool:
    if copy is None:
        return True
    # a version beside the placement's own; of a copy that is still being written the own version is not known yet
    return orphan.version is not None and copy.expects_bytes and copy.version not in {None, orphan.version}


def _deleted(orphan: Orphan, *, caller: Caller, run: UUID | None) -> events.Line:
    """Return the event of an orphan's deletion; its subject is new, as an orphan has no id."""
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


def _ripe(catalog: Database, comparison: Comparison, after: Orphan | None) -> list[Orphan]:
    with catalog.reading() as connection:
        return quarantine.ripe(
            connection,
            [comparison.tier],
            seen_since=comparison.began,
            first_before=comparison.ripe,
            after=after,
            limit=_BATCH,
        )
