"""The commit point of a batch (step 5 of converge): one transaction, locks by R14, everything decided again.

Locks, each by id: blobs, artifacts, schedule; placements change only under their blob's lock; then, where a policy
deletes, the tenants' locks of the brake, which is asked about every such deletion. A crash before COMMIT leaves the
intents; after it, everything stands. Running it again after a lost reply finds its uploads present under its own token
and changes nothing twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import ArtifactParked, CommittedStanding, ParkReason
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.states import ArtifactState, Outcome, Vouched
from tierkeeper.catalog import artifacts, blobs, epochs, events, placements, schedule
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine, Worker
from tierkeeper.engine.converge import change, namesakes
from tierkeeper.engine.copies import locking, lost, settlement
from tierkeeper.engine.copies.transfer import Transferred
from tierkeeper.engine.gates import brake
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.record import record
from tierkeeper.policy.decision import Action, Decision, Step, when
from tierkeeper.stores.errors import StoreError, StoreTransient

#: a failing store is asked again after 2, 4, 8 … seconds and at most every five minutes
PAUSES: Final = Backoff(first=2.0, cap=300.0, least=0.75, most=1.25)
#: until a tier that another worker copies to is looked at again
PAUSES_FOR_OTHERS: Final = Backoff(first=1.0, cap=1.0, least=0.75, most=1.25)
#: an artifact of which nothing changed is not looked at again sooner, whatever its rule says
QUIET = timedelta(seconds=60)
#: what a catalog that is not trusted leaves is looked at again: by then somebody may have accepted it
DOUBTED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Result:
    """One artifact's outcome; ``label`` is what runs count."""

    outcome: Outcome
    label: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Item:
    row: ArtifactRow
    decision: Decision
    run: UUID | None = None  # of the brake: the one that stops a deletion, or whose approval lets it go
    stopped: bool = False


def batch(
    connection: sa.Connection,
    engine: Engine,
    worker: Worker,
    *,
    ids: Sequence[UUID],
    done: Sequence[Transferred],
    foreign: set[UUID],
    unread: Mapping[UUID, TierkeeperError],
) -> tuple[dict[UUID, Result], list[locking.Lock]]:
    """Commit a batch; return each artifact's outcome and the locks that are to be set now.

    ``unread``: why copies that nobody vouches for could not be read, by their ids.
    """
    touched = sorted(artifacts.blobs_of(connection, ids) | {t.intent.blob for t in done})
    blobs.lock(connection, touched)
    artifacts.lock_only(connection, ids)
    held = schedule.lock(connection, ids)
    # read after the last lock: a store makes older versions due under the locks of the schedule only
    rows = artifacts.load(connection, ids)
    moment = Moment.read(connection, engine)
    now = moment.now
    wants = artifacts.sibling_wants(connection, touched, batch=ids)
    copies = placements.of_blobs(connection, touched)
    done = _founded(done, copies)
    items = [_Item(row, moment.decide(row)) for row in rows]
    items = _braked(connection, engine, moment, items, held, worker)
    items = _spared(connection, moment, items)
    settled = _settle_blobs(connection, engine, worker, items, copies, wants, done, now=now)
    if any(item.decision.policy.retention or item.decision.action is Action.DESTROY for item in items):
        copies = placements.of_blobs(connection, touched)  # locks and names are about what is present now
    history = schedule.failures(connection, ids)
    problems = _problems(done, unread, copies)
    locks: list[locking.Lock] = []
    nexts: list[schedule.Next] = []
    results: dict[UUID, Result] = {}
    changes: list[change.Change] = []
    told: set[UUID | None] = set()
    for item in items:
        blob = item.row.blob_id
        fate = settled.get(blob) if blob is not None else None
        approved = item.run is not None and not item.stopped
        policy = item.decision.policy
        made = change.of(item.row, item.decision, policy, fate, first=blob not in told, now=now, approved=approved)
        told.add(blob)
        changes.append(made)
        here = copies[blob] if blob is not None else ()
        missing = locking.wanted(engine, policy, item.decision.retain_until, here, now=now)
        locks.extend(missing)
        retry = None
        if fate is not None and not fate.complete:
            failed, _ = history.get(item.row.id, (0, 0))
            unreadable = not any(p.readable for p in here)
            gone = lost.is_lost(here, engine.stores)
            # a first look in the time to come is none, and is taken again by then
            again = None if fate.missed is None else min(fate.missed, now) + engine.settings.reconcile.quarantine
            retry = _Retry(
                failed, foreign=blob in foreign, problem=problems.get(blob), lost=unreadable, gone=gone, again=again
            )
        results[item.row.id], following = _outcome(
            engine, item, made, retry, held.get(item.row.id), locks=bool(missing), now=now
        )
        nexts.append(following)
    placements.give_up(connection, [t.intent.placement for t in done if t.upload is None], token=worker.token)
    artifacts.write_many(connection, [w for c in changes if (w := c.write) is not None])
    schedule.settle(connection, nexts, token=worker.token)
    namesakes.hasten(connection, changes, copies, now=now)
    lines = [
        _line(item, made, made.event, settled, worker, now=now)
        for item, made in zip(items, changes, strict=True)
        if made.event is not None
    ]
    events.append(connection, lines, at=now)
    return results, locks


def park(engine: Engine, worker: Worker, reasons: Mapping[UUID, str]) -> dict[UUID, Result]:
    """Take artifacts out of the sweep until an operator looks at them; never drop them."""
    ids = sorted(reasons)

    def unit(connection: sa.Connection) -> None:
        rows = artifacts.lock(connection, ids)
        schedule.lock(connection, ids)
        now = catalog_now(connection)
        schedule.settle(
            connection,
            [schedule.Next(r.id, now, "parked", permanent=True, parked=reasons[r.id]) for r in rows],
            token=worker.token,
        )
        record(
            connection,
            rows,
            lambda row: ArtifactParked(after=ParkReason(reason=reasons[row.id])),
            now=now,
            caller=worker.caller,
            run=worker.run,
        )

    engine.catalog.run(unit)
    return {i: Result(Outcome.PARKED, "parked", reason) for i, reason in reasons.items()}


def _braked(
    connection: sa.Connection,
    engine: Engine,
    moment: Moment,
    items: Sequence[_Item],
    held: Mapping[UUID, schedule.Held],
    worker: Worker,
) -> list[_Item]:
    """Return the items with those deletions by policy that the brake stops decided anew, as if there were no purge."""
    wishes = [(item.row, item.decision.policy) for item in items if brake.deletes(item.row, item.decision)]
    if not wishes:
        return list(items)
    stopped = brake.check(connection, engine, moment, wishes, held, caller=worker.caller)
    deleting = {row.id for row, _ in wishes}
    found = []
    for item in items:
        run = stopped.get(item.row.id)
        if run is not None:
            barred = brake.barred(moment, item.row, run=run)
            found.append(replace(item, decision=barred, run=run, stopped=True))
        elif item.row.id in deleting:
            approved = mine.approved_by if (mine := held.get(item.row.id)) is not None else None
            found.append(item if approved is None else replace(item, run=approved))
        else:
            found.append(item)
    return found


def _spared(connection: sa.Connection, moment: Moment, items: Sequence[_Item]) -> list[_Item]:
    """Return the items with what a catalog that is not trusted would destroy left as it is.

    It may be an older copy of itself, that does not know of an undelete or a hold; and a purge is irrevocable.
    """
    ending = {i.row.id for i in items if i.row.counted and i.decision.action is Action.DESTROY}
    doubt = epochs.distrusted(connection) if ending else None
    if doubt is None:
        return list(items)
    return [replace(i, decision=_left(moment, i.row, doubt)) if i.row.id in ending else i for i in items]


def _left(moment: Moment, row: ArtifactRow, doubt: str) -> Decision:
    decision = moment.decide(replace(row, holds=(*row.holds, "the catalog is not trusted")))
    return replace(decision, blocked=(f"the catalog is not trusted: {doubt}",), next_due=moment.now + DOUBTED)


def _settle_blobs(
    connection: sa.Connection,
    engine: Engine,
    worker: Worker,
    items: Iterable[_Item],
    copies: dict[UUID, list[PlacementRow]],
    wants: dict[UUID, set[str]],
    done: Sequence[Transferred],
    *,
    now: datetime,
) -> dict[UUID, settlement.Settlement]:
    """Write the fate of every copy of the batch's blobs."""
    union: dict[UUID, set[str]] = {blob: set(wants.get(blob, ())) for blob in copies}
    for item in items:
        if item.row.blob_id is not None:
            union[item.row.blob_id] |= item.decision.tiers
    uploads = placements.by_blob(t.upload for t in done if t.upload is not None)
    settled = {
        blob: settlement.settle(
            union[blob], copies[blob], uploads.get(blob, ()), token=worker.token, here=engine.stores
        )
        for blob in copies
    }
    settlement.write(connection, settled.values(), token=worker.token, now=now, grace=engine.grace)
    return settled


def _founded(done: Sequence[Transferred], copies: Mapping[UUID, Sequence[PlacementRow]]) -> list[Transferred]:
    """Return what was done, without copies that are as good as a source that is not what it was (R17).

    While they were made it was found damaged, healed with other bytes, or went: they are made again.
    """
    rows = {p.id: p for of_blob in copies.values() for p in of_blob}
    found = []
    for one in done:
        source = one.upload.source if one.upload is not None and one.upload.vouched is Vouched.PINNED else None
        now = None if source is None else rows.get(source.id)
        if source is None or (now is not None and now.damaged_at is None and now.pin == source.pin):
            found.append(one)
        else:
            reason = "what it was copied from was found damaged, or went, meanwhile; it is copied again"
            found.append(replace(one, upload=None, error=StoreTransient(tier=source.tier, reason=reason)))
    return found


def _problems(
    done: Iterable[Transferred],
    unread: Mapping[UUID, TierkeeperError],
    copies: Mapping[UUID, Sequence[PlacementRow]],
) -> dict[UUID | None, TierkeeperError]:
    found: dict[UUID | None, TierkeeperError] = {}
    if unread:
        found.update((p.blob_id, unread[p.id]) for of_blob in copies.values() for p in of_blob if p.id in unread)
    found.update((t.intent.blob, t.error) for t in done if t.error is not None)
    return found


def _line(
    item: _Item,
    made: change.Change,
    event: change.Committed,
    settled: dict[UUID, settlement.Settlement],
    worker: Worker,
    *,
    now: datetime,
) -> events.Line:
    fate = settled.get(item.row.blob_id) if item.row.blob_id is not None else None
    before = _standing(made.old, fate.before if fate else frozenset())
    approved = None if item.stopped else item.run
    after = _standing(made.new, fate.present if fate else frozenset(), approved=approved)
    return events.of_artifact(
        item.row,
        event(before=before, after=after),
        revision=made.new.revision,
        now=now,
        actor=worker.caller.actor,
        policy=item.decision.rule,
        run=worker.run,
        correlation=worker.caller.correlation,
    )


def _standing(row: ArtifactRow, present: AbstractSet[str], *, approved: UUID | None = None) -> CommittedStanding:
    return CommittedStanding(
        state=row.state, wanted=row.wanted, present=present, retain_until=row.retain_until, approved=approved
    )


@dataclass(frozen=True, slots=True)
class _Retry:
    """An artifact of which something wanted is not there yet: looked at again after a while."""

    failures: int
    foreign: bool
    problem: TierkeeperError | None
    lost: bool  # no copy is readable
    gone: bool  # and none could be, as far as the catalog knows
    again: datetime | None = None  # it waits for a second look at a copy, which may be taken from then on (R20)

    @property
    def unforeseen(self) -> bool:
        """Whether nothing went wrong: what is wanted now was not, when the copies were made."""
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

    def next(self, item: _Item, now: datetime) -> schedule.Next:
        if self.again is not None and self.again > now and self.problem is None and not self.foreign:
            return schedule.Next(item.row.id, self.again, self.detail)
        waits = self.foreign and self.problem is None
        pauses = PAUSES_FOR_OTHERS if waits else PAUSES
        due = now + timedelta(seconds=pauses.seconds(self.failures + 1))
        # an outage parks nothing, nor does a tier that is not configured, or denies everything, for a while; but where
        # every copy is bad, or this one object is refused for what it is, trying again for ever helps nobody
        refused = isinstance(self.problem, StoreError) and self.problem.of_object
        permanent = not waits and (self.lost or refused)
        step = self.detail if permanent else item.decision.next_step
        return schedule.Next(item.row.id, due, step, failed=not waits, permanent=permanent)


def _outcome(
    engine: Engine,
    item: _Item,
    made: change.Change,
    retry: _Retry | None,
    held: schedule.Held | None,
    *,
    locks: bool,
    now: datetime,
) -> tuple[Result, schedule.Next]:
    """Return the artifact's outcome, and when its next step comes."""
    if retry is None:
        result = Result(made.outcome, made.label, made.detail)
    elif item.stopped and retry.unforeseen:
        # it waits where it is: to look again after a while would leave it out of the brake's count until then
        result = Result(Outcome.REFUSED, "refused", made.detail)
    else:
        label = made.label if made.event is not None else "retried"
        return Result(Outcome.RETRY, label, retry.detail), _hastened(retry.next(item, now), item, now=now)
    return result, _next(engine, item, made, held, locks=locks, now=now)


def _hastened(waiting: schedule.Next, item: _Item, *, now: datetime) -> schedule.Next:
    """Return when it is looked at again, or its own next step comes, where that is sooner: no wait puts it off."""
    natural = item.decision.next_due
    if natural is None or waiting.due_at is None or not now < natural < waiting.due_at:
        return waiting
    deletes = item.decision.policy.name if item.decision.step is Step.PURGE else None
    step = waiting.step if waiting.permanent else item.decision.next_step
    return replace(waiting, due_at=natural, step=step, deletes=deletes)


def _next(
    engine: Engine, item: _Item, made: change.Change, held: schedule.Held | None, *, locks: bool, now: datetime
) -> schedule.Next:
    """Return when the artifact's next step comes."""
    due_at = item.decision.next_due
    if item.stopped and not locks:
        since = min(now, held.due_at) if held is not None else now
        return schedule.Next(item.row.id, since, "purge", deletes=item.decision.policy.name, braked=item.run)
    if item.row.state is ArtifactState.PURGED:
        due_at = None
    elif locks:
        # the lock is set right after this commit; should that fail, it is tried again then
        due_at = now + timedelta(seconds=engine.lease)
    elif due_at is not None and due_at <= now and made.event is None:
        due_at = now + QUIET
    purges = item.decision.step is Step.PURGE and due_at == item.decision.next_due
    deletes = item.decision.policy.name if purges else None
    return schedule.Next(item.row.id, due_at, item.decision.next_step, deletes=deletes)
