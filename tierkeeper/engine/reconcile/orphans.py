"""Delete orphans whose quarantine is over: bytes without a placement that a comparison saw again.

Only the orphans' own rows are locked: a location is never used twice and its row is committed before its bytes (R1), so
bytes that have no row when they are looked up can never be committed later (R3).

1. pick: read candidates by index: first seen long enough ago, and seen again by this comparison.
2. mark (transaction): THE DECISION POINT OF AN ORPHAN'S DELETE. Under the rows' locks: is its quarantine still over, by
   the clocks of now too; was it seen again; does it still have no placement; are deletes enabled and the catalog
   trusted? Then its row has ``deleting_at``. A crash leaves such rows; the next reconcile that sees the bytes repeats
   them.
3. delete: in the store, by exact version where there is one. An object that is gone already counts as deleted, provided
   that the place has the tier's mark before and after (R19). A crash leaves the same rows; the next reconcile finds the
   bytes gone and takes the last step, or deletes them.
4. forget (transaction): delete the rows; write the events. What the store refused to delete keeps its row, with the
   store's words. A crash before the commit leaves rows whose bytes are gone; the next reconcile forgets them, with
   their events.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.placements import OrphanBytes, OrphanDeleted
from tierkeeper.base.callers import Caller
from tierkeeper.base.ids import new_id
from tierkeeper.catalog import events, inventory, quarantine, refusals
from tierkeeper.catalog.database import Database, catalog_now, clocks
from tierkeeper.catalog.quarantine import Orphan
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import bulk_delete
from tierkeeper.engine.reconcile.comparison import Comparison
from tierkeeper.engine.trust import permission
from tierkeeper.stores import deletes
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.refusals import Reason

_BATCH = 500


def delete_orphans(
    engine: Engine,
    comparisons: Sequence[Comparison],
    *,
    caller: Caller,
    run: UUID | None,
    progress: ProgressCallback,
) -> Counter[str]:
    """Delete the orphans that these comparisons saw again after their quarantine; return the counts.

    Raises DeletesDisabled and CatalogRestored.
    """
    counts: Counter[str] = Counter()
    for comparison in comparisons:
        after: Orphan | None = None
        while picked := step_1_pick(engine.catalog, comparison, after):
            after = picked[-1]
            marked = step_2_mark(engine.catalog, comparison, picked, caller=caller)
            results = step_3_delete(engine, comparison.tier, marked)
            refused = [(orphan, result) for orphan, result in results if result.state is not DeleteState.DELETED]
            counts["orphans deleted"] += step_4_forget(engine.catalog, comparison.tier, results, caller=caller, run=run)
            counts["orphans not deleted"] += len(refused)
            progress(0)
    return +counts


def forget_gone(catalog: Database, comparison: Comparison, *, caller: Caller, run: UUID | None) -> int:
    """Forget orphans that this comparison did not see again: gone, or with a placement now; return how many."""
    count = 0
    while True:
        with catalog.reading() as connection:
            gone = quarantine.gone(connection, comparison.tier, since=comparison.began, limit=_BATCH)
        forgotten = _forget(catalog, comparison.tier, gone, caller=caller, run=run)
        count += forgotten
        if not forgotten:
            return count


def step_1_pick(catalog: Database, comparison: Comparison, after: Orphan | None) -> list[Orphan]:
    """Return orphans whose quarantine is over and that this comparison saw again, following ``after``."""
    with catalog.reading() as connection:
        return quarantine.ripe(
            connection,
            comparison.tier,
            seen_since=comparison.began,
            first_before=comparison.ripe,
            after=after,
            limit=_BATCH,
        )


def step_2_mark(catalog: Database, comparison: Comparison, picked: Sequence[Orphan], *, caller: Caller) -> list[Orphan]:
    """Decide about each orphan again and return those to be deleted; forget those that have a placement.

    An orphan whose quarantine began again since it was picked is left alone.
    Raises DeletesDisabled and CatalogRestored.
    """
    return catalog.run(caller, _mark_orphans, comparison, picked)


def _mark_orphans(connection: sa.Connection, comparison: Comparison, picked: Sequence[Orphan]) -> list[Orphan]:
    tier = comparison.tier
    locked = quarantine.lock(connection, tier, picked)
    permission.require(connection)
    now = clocks(connection)
    copies = inventory.at(connection, tier, {orphan.location for orphan in locked})
    placed = [orphan for orphan in locked if not without_placement(orphan, copies.get(orphan.location))]
    quarantine.forget(connection, tier, placed)
    going = [orphan for orphan in locked if orphan not in placed and comparison.is_ripe(orphan, now)]
    return quarantine.decide(connection, tier, going, now=now.catalog)


def step_3_delete(engine: Engine, tier: str, marked: Sequence[Orphan]) -> list[tuple[Orphan, DeleteResult]]:
    """Delete the bytes in bulk; return the outcome of each orphan. A refusal is logged; the next reconcile retries it.

    Raises TierNotOurs unless the tier's mark is right before and after.
    """
    store = engine.store(tier)
    keys = [ObjectKey(orphan.location, orphan.version) for orphan in marked]
    calls = [keys[start : start + store.delete_batch] for start in range(0, len(keys), store.delete_batch)]
    engine.marks.confirm(store, before=True)
    results = [result for call in calls for result in bulk_delete.remove(engine, tier, call)]
    engine.marks.confirm(store)  # else the rows stay, and the next reconcile deletes again
    bulk_delete.alarm((tier, result) for result in results)
    return list(zip(marked, results, strict=True))


def step_4_forget(
    catalog: Database,
    tier: str,
    results: Sequence[tuple[Orphan, DeleteResult]],
    *,
    caller: Caller,
    run: UUID | None,
) -> int:
    """Delete the rows of deleted orphans, with an event for each, and note why others stay; return how many went."""
    refused = [
        (orphan, deletes.reason(result)) for orphan, result in results if result.state is not DeleteState.DELETED
    ]
    if refused:
        catalog.run(caller, _note_refused, tier, refused)
    deleted = [orphan for orphan, result in results if result.state is DeleteState.DELETED]
    return _forget(catalog, tier, deleted, caller=caller, run=run)


def _note_refused(connection: sa.Connection, tier: str, refused: Sequence[tuple[Orphan, Reason]]) -> None:
    refusals.note_orphans(connection, tier, refused, now=catalog_now(connection))


def _forget(catalog: Database, tier: str, orphans: Sequence[Orphan], *, caller: Caller, run: UUID | None) -> int:
    """Delete the rows of these orphans, with an event for each whose deletion was decided; return how many."""
    if not orphans:
        return 0
    return catalog.run(caller, _forget_orphans, tier, orphans, caller=caller, run=run)


def _forget_orphans(
    connection: sa.Connection, tier: str, orphans: Sequence[Orphan], *, caller: Caller, run: UUID | None
) -> int:
    marked = {(orphan.location, orphan.version): orphan for orphan in orphans if orphan.deleting_at is not None}
    forgotten = quarantine.forget(connection, tier, orphans)
    # a row whose quarantine began again after its bytes were deleted tells no more of that deletion
    ends = [marked.get((row.location, row.version), row) for row in forgotten]
    lines = [_deleted(end, caller=caller, run=run) for end in ends if end.deleting_at is not None]
    events.append(connection, lines, at=catalog_now(connection))
    return len(forgotten)


def without_placement(orphan: Orphan, copy: inventory.Copy | None) -> bool:
    """Return True if an orphan's bytes belong to no placement; ``copy``: the placement at its location."""
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
