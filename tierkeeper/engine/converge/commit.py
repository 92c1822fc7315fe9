"""The commit point of a batch (step 5 of converge): one transaction, locks by R14, everything decided again.

Locks, each by id: blobs, artifacts, schedule; placements change only under their blob's lock; then, where a policy
deletes, the tenants' locks of the brake, which checks every such deletion. A crash before COMMIT leaves the intents;
a crash after it leaves the finished batch. If the reply is lost and the transaction runs again, it finds its uploads
present under its own token and changes nothing twice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import ArtifactParked, CommittedStanding, Moved, ParkReason
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.errors import ContentLost, NoReadableCopy, TierkeeperError
from tierkeeper.base.ids import in_order
from tierkeeper.base.states import ArtifactState, Outcome, Vouched
from tierkeeper.catalog import artifacts, blobs, epochs, events, placements, schedule
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine, Worker
from tierkeeper.engine.converge import change, namesakes
from tierkeeper.engine.copies import fates, lost, worm
from tierkeeper.engine.copies.transfer import Transferred
from tierkeeper.engine.gates import brake
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.record import record
from tierkeeper.policy.decision import Action, Decision, Step, listed, when
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.errors import StoreError, StoreTransient
from tierkeeper_client import texts

#: a failing store is tried again after 2, 4, 8 … seconds, at most five minutes
PAUSES: Final = Backoff(first=2.0, cap=300.0, least=0.75, most=1.25)
#: time until an artifact whose copy another worker is making is due again
PAUSES_FOR_OTHERS: Final = Backoff(first=1.0, cap=1.0, least=0.75, most=1.25)
#: characters kept of a failure's words
_MOST_WORDS: Final = 1000
#: the code of a failure without an error: a tier that is not configured, or a copy that came too late
INCOMPLETE: Final = "Incomplete"
#: least time until an unchanged artifact is due again, whatever its rule says
QUIET = timedelta(seconds=60)
#: time until an artifact that an untrusted catalog spared is due again: an operator may accept the catalog meanwhile
DOUBTED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Result:
    """One artifact's outcome; ``label``: the key under which a run counts it.

    ``first``: the label of what the same commit did before, where it deleted what it then purged.
    """

    outcome: Outcome
    label: str
    detail: str = ""
    first: str | None = None


@dataclass(frozen=True, slots=True)
class _DeletedFirst:
    """A deletion without an undo window: the artifact is decided again at once, as a deleted one."""

    change: change.Change
    rule: str
    approved: UUID | None


@dataclass(frozen=True, slots=True)
class _DecidedRow:
    row: ArtifactRow
    decision: Decision
    run: UUID | None = None  # of the brake: the run that stops a deletion, or whose approval allows it
    stopped: bool = False
    deletion: _DeletedFirst | None = None  # ``row`` and ``decision`` are those after it

    @property
    def written(self) -> ArtifactRow:
        """The row as the catalog has it."""
        return self.row if self.deletion is None else self.deletion.change.old

    @property
    def approved(self) -> UUID | None:
        """The run whose approval allows the decided deletion."""
        return None if self.stopped else self.run


def batch(
    connection: sa.Connection,
    engine: Engine,
    worker: Worker,
    *,
    ids: Sequence[UUID],
    done: Sequence[Transferred],
    foreign: set[UUID],
    unread: Mapping[UUID, TierkeeperError],
    lockable: Mapping[str, bool],
    ending: bool = False,
) -> tuple[dict[UUID, Result], list[worm.RetentionLock]]:
    """Commit a batch; return each artifact's outcome and the WORM locks to set now.

    ``done``: the results of its intents; ``foreign``: blobs that another worker is copying; ``unread``: by placement
    id, why copies that are not vouched for could not be read; ``lockable``: see :func:`worm.wanted`; ``ending``: only
    what ends now is committed, all else is left as it is, leased, and has no outcome.
    """
    touched = in_order(artifacts.blobs_of(connection, ids) | {t.intent.blob for t in done})
    blobs.lock(connection, touched)
    artifacts.lock_only(connection, ids)
    held = schedule.lock(connection, ids)
    # read after the last lock: a store makes older versions due under the locks of the schedule only
    rows = artifacts.load(connection, ids)
    stuck = unreadable(rows)
    rows = [row for row in rows if row.id not in stuck]
    moment = Moment.read(connection, engine)
    now = moment.now
    copies = placements.of_blobs(connection, touched)
    done = _founded(done, copies)
    items = _decide(connection, engine.settings, moment, rows, held, worker)
    items, copies, wants = _considered(connection, items, copies, ending=ending)
    settled = _settle_blobs(connection, engine, worker, items, copies, wants, done, now=now)
    if any(item.decision.policy.retention or item.decision.action is Action.DESTROY for item in items):
        copies = _left(connection, settled)
    history = schedule.failures(connection, ids)
    problems = _problems(done, unread, copies)
    locks: list[worm.RetentionLock] = []
    nexts = [_parked(artifact, reason, now=now) for artifact, reason in stuck.items()]
    results = {artifact: Result(Outcome.PARKED, "parked", reason) for artifact, reason in stuck.items()}
    changes: list[change.Change] = []
    seen: set[UUID | None] = set()
    for item in items:
        blob = item.row.blob_id
        fate = settled.get(blob) if blob is not None else None
        policy = item.decision.policy
        artifact_change = change.of_artifact(
            item.row, item.decision, policy, fate, first=blob not in seen, now=now, approved=item.approved is not None
        )
        seen.add(blob)
        changes.append(artifact_change)
        blob_copies = copies[blob] if blob is not None else ()
        missing = worm.wanted(engine, policy, item.decision.retain_until, blob_copies, lockable=lockable, now=now)
        locks.extend(missing)
        retry = None
        if fate is not None and not fate.complete:
            failed, _ = history.get(item.row.id, (0, 0))
            none_readable = not any(p.readable for p in blob_copies)
            gone = lost.is_lost(blob_copies, engine.stores)
            # a first look recorded at a future time, by a clock that was ahead, counts as one of now
            again = None if fate.missed is None else min(fate.missed, now) + engine.settings.reconcile.quarantine
            retry = _Retry(
                failed, foreign=blob in foreign, problem=problems.get(blob), lost=none_readable, gone=gone, again=again
            )
        results[item.row.id], following = _outcome(
            engine, item, artifact_change, retry, held.get(item.row.id), locks=bool(missing), now=now
        )
        nexts.append(following)
    placements.give_up(connection, [t.intent.placement for t in done if t.upload is None], token=worker.token)
    decided = zip(items, changes, strict=True)
    artifacts.write_decided(connection, [c.new for item, c in decided if c.new != item.written])
    schedule.reschedule(connection, nexts, token=worker.token)
    namesakes.hasten(connection, changes, copies, now=now)
    lines = [
        line
        for item, artifact_change in zip(items, changes, strict=True)
        for line in _lines(item, artifact_change, settled, worker, now=now)
    ]
    events.append(connection, lines, at=now)
    return results, locks


def park(catalog: Database, worker: Worker, reasons: Mapping[UUID, str]) -> dict[UUID, Result]:
    """Exclude artifacts from the sweeps until an operator acts on them; they stay in the schedule.

    ``reasons``: by artifact id.
    """
    catalog.run(worker.caller, _park_artifacts, worker, reasons)
    return {i: Result(Outcome.PARKED, "parked", reason) for i, reason in reasons.items()}


def _park_artifacts(connection: sa.Connection, worker: Worker, reasons: Mapping[UUID, str]) -> None:
    ids = sorted(reasons)
    rows = artifacts.lock(connection, ids)
    schedule.lock(connection, ids)
    now = catalog_now(connection)
    schedule.reschedule(
        connection,
        [_parked(r.id, reasons[r.id], now=now) for r in rows],
        token=worker.token,
    )
    record(  # no event of an unreadable one: an UPDATE of its row would mend it
        connection,
        [row for row in rows if not row.unreadable],
        lambda row: ArtifactParked(after=ParkReason(reason=reasons[row.id])),
        now=now,
        caller=worker.caller,
        run=worker.run,
    )


def _parked(artifact: UUID, reason: str, *, now: datetime) -> schedule.Next:
    return schedule.Next(artifact, now, "parked", permanent=True, parked=reason)


def unreadable(rows: Iterable[ArtifactRow]) -> dict[UUID, str]:
    """Return, by id, why live artifacts are parked: their rows say what cannot be meant.

    A deleted one takes its course: what cannot be read of it protects it.
    """
    return {
        row.id: f"its row cannot be read ({', '.join(names)}): `tierkeeper doctor` says how it is mended"
        for row in rows
        if row.state is ArtifactState.LIVE and (names := row.unreadable)
    }


def _decide(
    connection: sa.Connection,
    settings: Settings,
    moment: Moment,
    rows: Sequence[ArtifactRow],
    held: Mapping[UUID, schedule.LockedEntry],
    worker: Worker,
) -> list[_DecidedRow]:
    """Return the decisions that are committed: those of the policies, as far as brake and trust let them."""
    items = [_DecidedRow(row, moment.decide(row)) for row in rows]
    items = _braked(connection, settings, moment, items, held, worker)
    return _spared(connection, moment, [_deleted_at_once(moment, item) for item in items])


def _considered(
    connection: sa.Connection, items: list[_DecidedRow], copies: dict[UUID, list[PlacementRow]], *, ending: bool
) -> tuple[list[_DecidedRow], dict[UUID, list[PlacementRow]], dict[UUID, set[str]]]:
    """Return the items of this commit, and of their contents the copies and what other artifacts want of them.

    ``ending``: the items that end now, where no copy of their content is lacking: none that another artifact wants, and
    none that a deleted one keeps for its undo window. Such a copy is made, or looked at, first.
    """
    if ending:
        items = [i for i in items if i.deletion is not None or i.decision.action in {Action.DELETE, Action.DESTROY}]
    wants = artifacts.sibling_wants(connection, in_order(copies), batch=[item.row.id for item in items])
    if ending:
        union = _union(items, copies, wants)
        lacking = {blob for blob, of_blob in copies.items() if fates.lacking(union[blob], of_blob)}
        items = [item for item in items if item.row.blob_id not in lacking]
        copies = {item.row.blob_id: copies[item.row.blob_id] for item in items if item.row.blob_id is not None}
    return items, copies, wants


def _braked(
    connection: sa.Connection,
    settings: Settings,
    moment: Moment,
    items: Sequence[_DecidedRow],
    held: Mapping[UUID, schedule.LockedEntry],
    worker: Worker,
) -> list[_DecidedRow]:
    """Return the items; deletions that the brake stops are decided again, as if no policy could delete."""
    wishes = [(item.row, item.decision.policy) for item in items if brake.deletes(item.row, item.decision)]
    if not wishes:
        return list(items)
    stopped = brake.check(connection, settings, moment, wishes, held, caller=worker.caller)
    deleting = {row.id for row, _ in wishes}
    decided = []
    for item in items:
        run = stopped.get(item.row.id)
        if run is not None:
            barred = brake.barred(moment, item.row, run=run)
            decided.append(replace(item, decision=barred, run=run, stopped=True))
        elif item.row.id in deleting:
            approved = entry.approved_by if (entry := held.get(item.row.id)) is not None else None
            decided.append(item if approved is None else replace(item, run=approved))
        else:
            decided.append(item)
    return decided


def _deleted_at_once(moment: Moment, item: _DecidedRow) -> _DecidedRow:
    """Return the item; one that is deleted with an undo window of nothing is decided again as it is afterwards.

    That is what the next batch would do first: nobody can undelete it in between, and no tier wants it.
    """
    decision = item.decision
    if decision.action is not Action.DELETE or decision.purge_at is None or decision.purge_at > moment.now:
        return item
    approved = item.approved
    deleted = change.of_artifact(
        item.row, decision, decision.policy, None, first=False, now=moment.now, approved=approved is not None
    )
    deletion = _DeletedFirst(deleted, decision.rule, approved)
    return _DecidedRow(deleted.new, moment.decide(deleted.new), deletion=deletion)


def _spared(connection: sa.Connection, moment: Moment, items: Sequence[_DecidedRow]) -> list[_DecidedRow]:
    """Return the items; an untrusted catalog destroys nothing: those artifacts are kept as they are.

    Such a catalog may be an older copy of itself that lacks an undelete or a hold, and destroying is irrevocable.
    """
    ending = {i.row.id for i in items if i.row.counted and i.decision.action is Action.DESTROY}
    doubt = epochs.distrusted(connection) if ending else None
    if doubt is None:
        return list(items)
    return [replace(i, decision=_frozen(moment, i.row, doubt)) if i.row.id in ending else i for i in items]


def _frozen(moment: Moment, row: ArtifactRow, doubt: str) -> Decision:
    decision = moment.decide(replace(row, holds=(*row.holds, "the catalog is not trusted")))
    return replace(decision, blocked=(f"the catalog is not trusted: {doubt}",), next_due=moment.now + DOUBTED)


def _settle_blobs(
    connection: sa.Connection,
    engine: Engine,
    worker: Worker,
    items: Iterable[_DecidedRow],
    copies: dict[UUID, list[PlacementRow]],
    wants: dict[UUID, set[str]],
    done: Sequence[Transferred],
    *,
    now: datetime,
) -> dict[UUID, fates.Settlement]:
    """Decide and write the fates of all copies of the batch's blobs; return the settlements by blob."""
    union = _union(items, copies, wants)
    uploads = placements.by_blob([t.upload for t in done if t.upload is not None])
    settled = {
        blob: fates.settle(
            union[blob], copies[blob], uploads.get(blob, ()), token=worker.token, configured=engine.stores
        )
        for blob in copies
    }
    fates.write(connection, settled.values(), token=worker.token, now=now, grace=engine.grace)
    return settled


def _left(connection: sa.Connection, settled: Mapping[UUID, fates.Settlement]) -> dict[UUID, list[PlacementRow]]:
    """Return the copies of each blob as they are now, for locks and names; none of one whose copies are all doomed."""
    empty = {blob for blob, fate in settled.items() if fate.complete and not fate.present}
    left = placements.of_blobs(connection, settled.keys() - empty)
    return {blob: left.get(blob, []) for blob in settled}


def _union(items: Iterable[_DecidedRow], blobs: Iterable[UUID], wants: Mapping[UUID, set[str]]) -> dict[UUID, set[str]]:
    """Return the tiers that these items and other artifacts want of each blob (R7)."""
    union: dict[UUID, set[str]] = {blob: set(wants.get(blob, ())) for blob in blobs}
    for item in items:
        if item.row.blob_id is not None:
            union[item.row.blob_id] |= item.decision.tiers
    return union


def _founded(done: Sequence[Transferred], copies: Mapping[UUID, Sequence[PlacementRow]]) -> list[Transferred]:
    """Return the results; uploads vouched for by their source (R17) become errors where that source has changed.

    Since the copy began, the source was found damaged, got another pin, or was deleted: the copy is made again.
    """
    rows = {p.id: p for of_blob in copies.values() for p in of_blob}
    founded = []
    for result in done:
        source = result.upload.source if result.upload is not None and result.upload.vouched is Vouched.PINNED else None
        now = None if source is None else rows.get(source.id)
        if source is None or (now is not None and now.damaged_at is None and now.pin == source.pin):
            founded.append(result)
        else:
            reason = "what it was copied from was found damaged, or went, meanwhile; it is copied again"
            founded.append(replace(result, upload=None, error=StoreTransient(tier=source.tier, reason=reason)))
    return founded


def _problems(
    done: Iterable[Transferred],
    unread: Mapping[UUID, TierkeeperError],
    copies: Mapping[UUID, Sequence[PlacementRow]],
) -> dict[UUID | None, TierkeeperError]:
    problems: dict[UUID | None, TierkeeperError] = {}
    if unread:
        problems.update((p.blob_id, unread[p.id]) for of_blob in copies.values() for p in of_blob if p.id in unread)
    problems.update((t.intent.blob, t.error) for t in done if t.error is not None)
    return problems


def _lines(
    item: _DecidedRow,
    artifact_change: change.Change,
    settled: Mapping[UUID, fates.Settlement],
    worker: Worker,
    *,
    now: datetime,
) -> Iterator[events.Line]:
    """Yield an artifact's events, in their order: at most two, where it was deleted and purged."""
    fate = settled.get(item.row.blob_id) if item.row.blob_id is not None else None
    before, present = (fate.before, fate.present) if fate else (frozenset[str](), frozenset[str]())
    steps = [(artifact_change, item.decision.rule, present, item.approved)]
    if item.deletion is not None:
        steps.insert(0, (item.deletion.change, item.deletion.rule, before, item.deletion.approved))
    for done, rule, after, approved in steps:
        if done.event is not None:
            yield events.of_artifact(
                item.row,
                done.event(before=_standing(done.old, before), after=_standing(done.new, after, approved=approved)),
                revision=done.new.revision,
                now=now,
                actor=worker.caller.actor,
                policy=rule,
                run=worker.run,
                correlation=worker.caller.correlation,
            )


def _standing(row: ArtifactRow, present: AbstractSet[str], *, approved: UUID | None = None) -> CommittedStanding:
    return CommittedStanding(
        state=row.state, wanted=row.wanted, present=present, retain_until=row.retain_until, approved=approved
    )


@dataclass(frozen=True, slots=True)
class _Retry:
    """An artifact that lacks a wanted copy after the commit: it becomes due again."""

    failures: int
    foreign: bool
    problem: TierkeeperError | None
    lost: bool  # no copy is readable
    gone: bool  # the content is lost as far as the catalog knows: see ``lost.is_lost``
    again: datetime | None = None  # from when on the second look at a suspect, which it waits for, may be taken (R20)

    @property
    def unforeseen(self) -> bool:
        """Return True if nothing went wrong: the lacking copy was not wanted yet when the copies were made."""
        return self.problem is None and not self.foreign and not self.lost

    @property
    def detail(self) -> str:
        if self.problem is not None:
            return str(self.problem)
        if self.foreign:
            return "another worker is copying it"
        if self.lost:
            return lost.STEP if self.gone else "no readable copy: `tierkeeper reconcile` looks for one"
        if self.again is not None:
            return f"a copy was not found; it is looked for again after {when(self.again)}"
        return "a tier that it needs is not configured, or the copy came too late"

    def next(self, item: _DecidedRow, now: datetime) -> schedule.Next:
        if self.again is not None and self.again > now and self.problem is None and not self.foreign:
            return schedule.Next(item.row.id, self.again, self.detail)
        waits = self.foreign and self.problem is None
        pauses = PAUSES_FOR_OTHERS if waits else PAUSES
        due = now + timedelta(seconds=pauses.seconds(self.failures + 1))
        # an outage parks no artifact, nor does a tier that is not configured or refuses all access for a while; but
        # where no copy is readable, or the store refuses this very object, each attempt counts towards parking
        refused = isinstance(self.problem, StoreError) and self.problem.of_object
        permanent = not waits and (self.lost or refused)
        # what is tried again is the move to where it is wanted now, not the decision's next step
        step = f"{Step.MOVE.value} {listed(item.decision.tiers)}"
        failure = None if waits else self.failure(now)
        return schedule.Next(item.row.id, due, step, failed=not waits, permanent=permanent, failure=failure)

    def failure(self, now: datetime) -> schedule.Failure:
        """Return what is kept of the failure for operators."""
        words = texts.one_line(self.detail, most=_MOST_WORDS)
        if self.problem is not None:
            tier = self.problem.data.get("tier")
            return schedule.Failure(self.problem.code, None if tier is None else str(tier), words, now)
        unreadable = ContentLost if self.gone else NoReadableCopy
        return schedule.Failure(unreadable.__name__ if self.lost else INCOMPLETE, None, words, now)


def _outcome(
    engine: Engine,
    item: _DecidedRow,
    artifact_change: change.Change,
    retry: _Retry | None,
    held: schedule.LockedEntry | None,
    *,
    locks: bool,
    now: datetime,
) -> tuple[Result, schedule.Next]:
    """Return the artifact's outcome and the next entry of its schedule."""
    first = None if item.deletion is None else item.deletion.change.label
    if retry is None:
        result = Result(artifact_change.outcome, artifact_change.label, artifact_change.detail, first)
    elif item.stopped and retry.unforeseen:
        # it stays due: a later retry would leave it out of the brake's count until then
        result = Result(Outcome.REFUSED, "refused", artifact_change.detail)
    else:
        # a move is one when its copies are there; what else was committed, a deletion say, is done
        moved = artifact_change.event in {None, Moved}
        label = "retried" if moved else artifact_change.label
        return Result(Outcome.RETRY, label, retry.detail, first), _hastened(retry.next(item, now), item, now=now)
    return result, _next(engine, item, artifact_change, held, locks=locks, now=now)


def _hastened(waiting: schedule.Next, item: _DecidedRow, *, now: datetime) -> schedule.Next:
    """Return the retry, brought forward to the artifact's own next step where that is sooner: no retry postpones it."""
    natural = item.decision.next_due
    if natural is None or waiting.due_at is None or not now < natural < waiting.due_at:
        return waiting
    deletes = item.decision.policy.name if item.decision.step is Step.PURGE else None
    step = item.decision.next_step if waiting.failure is None else waiting.step  # what failed is told as such
    return replace(waiting, due_at=natural, step=step, deletes=deletes)


def _next(
    engine: Engine,
    item: _DecidedRow,
    artifact_change: change.Change,
    held: schedule.LockedEntry | None,
    *,
    locks: bool,
    now: datetime,
) -> schedule.Next:
    """Return the next entry of the artifact's schedule where no copy is lacking."""
    due_at = item.decision.next_due
    if item.stopped and not locks:
        since = min(now, held.due_at) if held is not None else now
        return schedule.Next(item.row.id, since, "purge", deletes=item.decision.policy.name, braked=item.run)
    if item.row.state is ArtifactState.PURGED:
        due_at = None
    elif locks:
        # the lock is set right after this commit; if that fails, converge tries again at this time
        due_at = now + timedelta(seconds=engine.lease)
    elif due_at is not None and due_at <= now and artifact_change.event is None:
        due_at = now + QUIET
    purges = item.decision.step is Step.PURGE and due_at == item.decision.next_due
    deletes = item.decision.policy.name if purges else None
    return schedule.Next(item.row.id, due_at, item.decision.next_step, deletes=deletes)
