"""Physically delete doomed copies whose grace is over, and stale intents.

1. pick: read candidates by index. Outside of any transaction, the copies that would stay are then checked
   (:mod:`tierkeeper.engine.collect.survivors`).
2. mark (transaction): THE DECISION POINT OF A DELETE. Under the blob locks: is the copy ripe, and unwanted or redundant
   (R11); is every wanted copy of the content present; are the copies that stay those that were seen (R21); does nothing
   protect it; are deletes enabled? Then it becomes ``deleting``. A crash leaves ``deleting`` rows; collect repeats
   them when their lease is over.
3. delete: in the stores, by exact version; for stale intents every version and open upload. An object that is gone
   already counts as deleted, provided that the place has the tier's mark afterwards too (R19). A crash leaves the same
   rows.
4. forget (transaction): delete the rows, and the blob with its last one (R13); write the events. What a store refused
   to delete keeps its row, with the store's words, and is tried again. Of content that very many purged artifacts had,
   some at a time get their receipts first, each in a transaction of its own; the rows go with the last ones. A crash
   before the commit leaves ``deleting`` rows whose bytes are gone; collect repeats them.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import Destroyed, Receipt
from tierkeeper.audit.placements import CopyCollected, DoomedCopy
from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.ids import in_order, new_id
from tierkeeper.base.states import RunKind
from tierkeeper.base.stopping import over
from tierkeeper.catalog import artifacts, blobs, events, placements, refusals, unseen
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.rows import EndedArtifact
from tierkeeper.engine import run_life
from tierkeeper.engine.collect import judgement, survivors
from tierkeeper.engine.collect.deletable import Verdict
from tierkeeper.engine.collect.judgement import Marked, SeenCopies
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import bulk_delete
from tierkeeper.engine.run_life import Job
from tierkeeper.engine.trust import permission
from tierkeeper.stores import deletes
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey
from tierkeeper.stores.errors import TierNotOurs
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.runs import SweepResult

_log = log.get(__name__)

_BATCH = 2000  # candidates: two bulk deletes of S3, which run in parallel
_FORGOTTEN = 500  # copies that one transaction forgets
_ENDED = 1000  # artifacts that one transaction gives their receipts: their contents are locked meanwhile
_REPEAT_SECONDS = 60.0  # until a failed delete is tried again
_LOCKED_SECONDS = 3600.0  # the same where a lock of the store refused it: such locks end in days, not seconds
_WAITED = 0.1  # of a lease: what waited longer before its deletion gets a new one


def collect(
    engine: Engine,
    *,
    caller: Caller,
    dry_run: bool = False,
    deadline: float | None = None,
    progress: ProgressCallback | None = None,
) -> SweepResult:
    """Delete ripe copies batch by batch, until none is left, the deadline is over or the process is to end.

    ``deadline``: by ``time.monotonic``. Raises DeletesDisabled where an operator switched deletes off, and
    CatalogRestored where the catalog may be an older copy of itself.
    """
    with run_life.running(engine, RunKind.COLLECT, caller=caller, dry_run=dry_run, lazily=True) as work:
        if not dry_run:
            longest = max(2 * engine.lease, 2 * _LOCKED_SECONDS)
            engine.catalog.run(caller, placements.shorten_leases, lease_seconds=engine.lease, longest_seconds=longest)
        with _Collect(engine, work, caller, dry_run=dry_run, progress=progress) as sweep:
            more = False
            while not more and (picked := step_1_pick(engine.catalog, sweep.taken)):
                more = over(deadline)
                if not more:
                    sweep.take(picked)
        return work.result(more=more)


@dataclass(frozen=True, slots=True)
class _MarkedBatch:
    """One batch after step 2, and what is counted of it so far."""

    token: UUID
    picked: Sequence[tuple[UUID, UUID]]
    marked: Sequence[Marked]
    counts: Counter[str]
    errors: int
    at: float  # when it was marked, by ``time.monotonic``


class _Collect:
    """One collect; its run begins with the first batch.

    While the bytes of one batch are deleted, in a thread, the one before is forgotten, and the next one is judged and
    marked: two are in flight at most. They are to each other as those of two processes that collect at the same time.
    """

    def __init__(
        self, engine: Engine, work: Job, caller: Caller, *, dry_run: bool, progress: ProgressCallback | None
    ) -> None:
        self.engine, self.work, self.caller, self.dry_run = engine, work, caller, dry_run
        self.passed: list[UUID] = []  # decided and kept: not picked again by this sweep
        self._away: set[str] = set()  # tiers that kept candidates from being judged; each is one error of the run
        self._progress = progress
        self._deleting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="collect")
        self._ahead: tuple[_MarkedBatch, Future[dict[UUID, DeleteResult]]] | None = None  # its bytes are being deleted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the batch in flight: what of it is gone is to be forgotten and counted, whatever failed since."""
        try:
            self._settle()
        finally:
            self._deleting.shutdown()

    def take(self, picked: Sequence[tuple[UUID, UUID]]) -> None:
        """Judge and mark one batch, and begin to delete it; a fault in it is logged and counted, and stops no other.

        Raises DeletesDisabled, CatalogRestored and CatalogUnavailable, which concern every batch.
        """
        batch = None
        with self._faults_of(picked):
            batch = self._judged(picked)
        if batch is not None and batch.marked:
            self._settle(then=batch)
            return
        if batch is not None:
            self.work.add(batch.counts, errors=batch.errors)
        self._progressed(0)

    @property
    def taken(self) -> list[UUID]:
        """The copies that this sweep does not pick: what it decided about, and what it is deleting."""
        return [*self.passed, *(m.placement.id for m in (self._ahead[0].marked if self._ahead is not None else ()))]

    def _settle(self, *, then: _MarkedBatch | None = None) -> None:
        """Wait until the bytes of the batch in flight are deleted, begin with those of another one, and forget them."""
        before = self._ahead
        if before is not None:
            wait([before[1]])
        self._ahead = None if then is None else (then, self._begin(then))
        if before is not None:
            gone = 0
            with self._faults_of(before[0].picked):
                gone = self._forget(before[0], before[1].result())
            self._progressed(gone)

    def _begin(self, batch: _MarkedBatch) -> Future[dict[UUID, DeleteResult]]:
        """Begin step 3; a batch that waited long for the one before has its whole lease from now on."""
        if time.monotonic() - batch.at > self.engine.lease * _WAITED:
            ids = [m.placement.id for m in batch.marked]
            self.engine.catalog.run(self.caller, placements.put_off, ids, token=batch.token, seconds=self.engine.lease)
        return self._deleting.submit(step_3_delete, self.engine, batch.marked)

    def _progressed(self, gone: int) -> None:
        if self._progress is not None:
            self._progress(gone)

    @contextmanager
    def _faults_of(self, picked: Sequence[tuple[UUID, UUID]]) -> Iterator[None]:
        try:
            yield
        except TierkeeperError:
            raise  # deletes are switched off, or the catalog fails: that concerns every batch
        except Exception:  # noqa: BLE001  one batch's fault stops no other
            _log.exception("a batch could not be collected", candidates=len(picked))
            self.passed.extend(placement for placement, _ in picked)
            self.work.begin()
            self.work.add({}, errors=len(picked))

    def _judged(self, picked: Sequence[tuple[UUID, UUID]]) -> _MarkedBatch:
        """Check the copies that stay of one batch, then take step 2."""
        token, at = new_id(), time.monotonic()
        away = {
            tier: Verdict.AWAY if isinstance(error, TierNotOurs) else Verdict.UNCONFIRMED
            for tier, error in self.engine.unconfirmed().items()
        }
        looked = survivors.check_all(self.engine, picked, away=away, caller=self.caller, dry_run=self.dry_run)
        marked, verdicts = step_2_mark(
            self.engine, token, picked, caller=self.caller, dry_run=self.dry_run, away=away, seen=looked.seen
        )
        counts = looked.counts + Counter(v.value for v in verdicts)
        if self.dry_run:
            marked, left = [], set[str]()
        else:
            self.work.begin()
            left = self._newly_away(picked, away)
        going = {m.placement.id for m in marked}
        self.passed.extend(placement for placement, _ in picked if placement not in going)
        return _MarkedBatch(token, picked, marked, counts, errors=len(left), at=at)

    def _forget(self, batch: _MarkedBatch, results: dict[UUID, DeleteResult]) -> int:
        """Take step 4, and count what of the batch is gone; return the number of copies."""
        bulk_delete.alarm((m.placement.tier, results[m.placement.id]) for m in batch.marked)
        gone, size, destroyed = step_4_forget(
            self.engine.catalog, batch.token, batch.marked, results, caller=self.caller, run=self.work.run
        )
        counts = batch.counts + Counter(destroyed=destroyed)
        self.work.add(counts, size=size, errors=batch.errors + len(batch.marked) - gone)
        return gone

    def _newly_away(self, picked: Sequence[tuple[UUID, UUID]], away: Mapping[str, Verdict]) -> set[str]:
        """Return the tiers that are away and have candidates of this batch, but had none in earlier batches."""
        if not away:
            return set()
        with self.engine.catalog.reading() as connection:
            tiers = {p.tier for p in placements.load(connection, [placement for placement, _ in picked])}
        left = (tiers & away.keys()) - self._away
        self._away |= left
        return left


def step_1_pick(catalog: Database, seen: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """Return (placement, blob) of candidates that may be ripe, without those ``seen`` by this sweep already."""
    with catalog.reading() as connection:
        return placements.collectable(connection, now=catalog_now(connection), limit=_BATCH, seen=seen)


def step_2_mark(
    engine: Engine,
    token: UUID,
    picked: Sequence[tuple[UUID, UUID]],
    *,
    caller: Caller,
    dry_run: bool,
    away: Mapping[str, Verdict] = MappingProxyType({}),
    seen: SeenCopies = MappingProxyType({}),
) -> tuple[list[Marked], list[Verdict]]:
    """Decide about each candidate under its blob's lock, and mark those that go as ``deleting``.

    A copy in a tier that is ``away`` (whose place is not confirmed to be its own) is left out, and does not count as
    another copy of its blob either. A candidate is kept where a copy that would stay is not as it was ``seen`` (R21);
    it then moves to the end of collect's queue.
    Raises DeletesDisabled and CatalogRestored, as :func:`collect` does.
    """
    return engine.catalog.run(caller, _mark_candidates, engine, token, picked, dry_run=dry_run, away=away, seen=seen)


def _mark_candidates(
    connection: sa.Connection,
    engine: Engine,
    token: UUID,
    picked: Sequence[tuple[UUID, UUID]],
    *,
    dry_run: bool,
    away: Mapping[str, Verdict],
    seen: SeenCopies,
) -> tuple[list[Marked], list[Verdict]]:
    blobs.lock(connection, [blob for _, blob in picked])
    permission.require(connection)
    judged = judgement.judge_batch(connection, engine, picked, away=away, seen=seen)
    if not dry_run:
        chosen = [m.placement.id for m in judged.marked]
        placements.to_deleting(connection, chosen, token=token, lease_seconds=engine.lease)
        unseen.mark_left(connection, judged.unseen, now=catalog_now(connection))
    return judged.marked, judged.verdicts


def step_3_delete(engine: Engine, marked: Sequence[Marked]) -> dict[UUID, DeleteResult]:
    """Delete the bytes in bulk, tier by tier, with calls in parallel; return the result of each by placement id.

    Of a tier that is not configured, or away, the results say why nothing was deleted.
    """
    calls: list[tuple[str, list[Marked]]] = []
    tiers = sorted({m.placement.tier for m in marked})
    away = engine.refused(tiers, before=True)
    for tier in tiers:
        if tier in away:
            continue  # the rows stay and are tried again
        of_tier = [m for m in marked if m.placement.tier == tier]
        size = engine.store(tier).delete_batch
        calls.extend((tier, of_tier[i : i + size]) for i in range(0, len(of_tier), size))

    def delete(call: tuple[str, list[Marked]]) -> list[tuple[UUID, DeleteResult]]:
        tier, items = call
        keys = [ObjectKey(m.placement.location, None if m.stale else m.placement.store_version) for m in items]
        results = bulk_delete.remove(engine, tier, keys)
        return [(m.placement.id, result) for m, result in zip(items, results, strict=True)]

    results = dict(pair for pairs in engine.in_parallel(delete, calls) for pair in pairs)
    # a delete in a place that is not the tier's own proves nothing (R19)
    away |= engine.refused({tier for tier, _ in calls})
    for item in marked:
        if item.placement.tier in away:
            error = away[item.placement.tier]
            key = ObjectKey(item.placement.location, item.placement.store_version)
            results[item.placement.id] = DeleteResult(key, DeleteState.FAILED, str(error), error.code)
    return results


def step_4_forget(
    catalog: Database,
    token: UUID,
    marked: Sequence[Marked],
    results: dict[UUID, DeleteResult],
    *,
    caller: Caller,
    run: UUID | None,
) -> tuple[int, int, int]:
    """Delete the rows of deleted bytes; return their number, their bytes, and the number of artifacts destroyed.

    Some copies at a time: mostly each has one artifact, and one transaction gives all of them their receipts.
    """
    copies, size, destroyed = 0, 0, 0
    for start in range(0, len(marked), _FORGOTTEN):
        forgotten = None
        while forgotten is None:
            part = marked[start : start + _FORGOTTEN]
            forgotten, ended = catalog.run(caller, _forget_copies, token, part, results, caller=caller, run=run)
            destroyed += ended
        copies, size = copies + forgotten[0], size + forgotten[1]
    return copies, size, destroyed


def _forget_copies(
    connection: sa.Connection,
    token: UUID,
    marked: Sequence[Marked],
    results: dict[UUID, DeleteResult],
    *,
    caller: Caller,
    run: UUID | None,
) -> tuple[tuple[int, int] | None, int]:
    """Return the number of rows deleted and their bytes, None where more artifacts end first; and how many ended."""
    deleted = [m for m in marked if results[m.placement.id].state is DeleteState.DELETED]
    locked = [m.placement.id for m in marked if results[m.placement.id].state is DeleteState.LOCKED]
    failed = [m.placement.id for m in marked if results[m.placement.id].state is DeleteState.FAILED]
    of = in_order(m.placement.blob_id for m in marked)
    blobs.lock(connection, of)
    now = catalog_now(connection)
    bytes_gone = [m.placement.id for m in deleted]
    ended = artifacts.release_blobs(connection, of, gone=bytes_gone, token=token, limit=_ENDED)
    events.append(connection, [_destroyed(a, now=now, caller=caller, run=run) for a in ended], at=now)
    if len(ended) == _ENDED:
        return None, len(ended)
    ids = set(placements.gone(connection, bytes_gone, token=token))
    reasons = {id_: deletes.reason(results[id_]) for id_ in (*failed, *locked)}
    refusals.note_copies(connection, reasons, token=token, now=now)
    placements.put_off(connection, failed, token=token, seconds=_REPEAT_SECONDS)
    placements.put_off(connection, locked, token=token, seconds=_LOCKED_SECONDS)
    blobs.drop_unused(connection, of)
    lines = [_collected(m, now=now, caller=caller, run=run) for m in deleted if m.placement.id in ids]
    events.append(connection, lines, at=now)
    size = sum(m.placement.stored_size or 0 for m in deleted if m.placement.id in ids)
    return (len(ids), size), len(ended)


def _collected(marked: Marked, *, now: datetime, caller: Caller, run: UUID | None) -> events.Line:
    """Return the event of a placement's end, the only one whose subject is the placement."""
    placement, owner = marked.placement, marked.owner
    return events.Line(
        subject=placement.id,
        revision=1,
        payload=CopyCollected(
            before=DoomedCopy(
                tier=placement.tier,
                location=placement.location,
                state=placement.state,
                doomed_at=placement.doomed_at,
            )
        ),
        actor=caller.actor,
        tenant=owner.tenant if owner else None,
        workflow=owner.workflow if owner else None,
        name=owner.name if owner else None,
        version=owner.version if owner else None,
        policy=placement.placed_by,
        run=run,
        age_days=None if owner is None else events.age_days(owner, now),
    )


def _destroyed(artifact: EndedArtifact, *, now: datetime, caller: Caller, run: UUID | None) -> events.Line:
    """Return the receipt of a purged artifact whose content lost its last copy."""
    return events.of_artifact(
        artifact,
        Destroyed(after=Receipt(sha256=artifact.sha256, size=artifact.size, destroyed_at=now)),
        revision=artifact.revision,
        now=now,
        actor=caller.actor,
        run=run,
    )
