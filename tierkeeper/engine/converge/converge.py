"""Make the placements of a batch of artifacts equal to what is wanted: the engine's one algorithm.

1. claim (transaction): lease each artifact and count the attempt. A crash leaves leases that expire; the next claim
   takes over.
2. decide: compare what is wanted (R7, R8) with the copies that exist; reads only. A crash leaves nothing more.
   What was claimed to be purged or destroyed goes to step 5 at once; what is not ended there takes all steps.
3. intend (transaction): under the blob locks, insert ``copying`` rows for missing copies (R1). A tier that another
   worker is copying to is left to that worker: the artifact stays due. A crash leaves intents; collect removes them.
4. copy: write and verify the bytes at the new locations, in places that have the tier's mark afterwards too (R19). A
   crash leaves bytes under intents; collect removes both.
5. commit (transaction): THE COMMIT POINT. Lock by R14 and decide again from the current rows (R9); uploads become
   present or doomed (R2, R5), doomed copies are rescued, unwanted ones doomed if every wanted copy is present; write
   states, schedule, events. A crash before it leaves what step 4 leaves; a lost reply is resolved by running it again.
6. lock: set the WORM locks that retention wants on present copies. A crash leaves the artifact due, and it is repeated.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.ids import in_order, new_id
from tierkeeper.base.quantities import format_count
from tierkeeper.base.states import Outcome, PlacementState
from tierkeeper.catalog import artifacts, blobs, placements, schedule
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.rows import ArtifactRow, NewIntent, PlacementRow
from tierkeeper.engine.context import Engine, Worker, info_of
from tierkeeper.engine.converge import commit
from tierkeeper.engine.copies import damage, fates, suspects, unvouched, worm
from tierkeeper.engine.copies.transfer import Intent, Renewal, Transferred, alarm, believed, transfer_all
from tierkeeper.engine.gates import brake
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Step

#: the steps for which nothing is copied
_ENDS: Final = frozenset({Step.PURGE.value, Step.DESTROY.value})


@dataclass(slots=True)
class Report:
    """The result of a batch: one outcome per artifact, and ``copied``, the bytes copied."""

    outcomes: dict[UUID, commit.Result] = field(default_factory=dict)
    copied: int = 0

    @property
    def counts(self) -> Counter[str]:
        """The number of artifacts by label, such as ``promoted_to_warm``; of one deleted and purged, under both."""
        of = self.outcomes.values()
        return Counter(label for result in of for label in (result.first, result.label) if label is not None)

    @property
    def errors(self) -> int:
        """The number of artifacts that have to be retried or were parked."""
        return sum(result.outcome in {Outcome.RETRY, Outcome.PARKED} for result in self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Decided:
    """The result of step 2: the tiers wanted of each blob, and the rule by which the batch's artifacts want them."""

    rows: dict[UUID, ArtifactRow]
    wanted: dict[UUID, frozenset[str]]  # by blob
    rule: dict[UUID, str]  # by blob: the rule of its owner
    owner: dict[UUID, ArtifactRow]  # by blob: the artifact whose name a new copy carries
    lacking: frozenset[UUID]  # blobs that need a new copy
    suspects: tuple[PlacementRow, ...] = ()  # copies of lacking blobs that get their second look first
    doubts: tuple[unvouched.Doubt, ...] = ()  # copies to read first: they may be all that is lacking
    unread: Mapping[UUID, TierkeeperError] = field(
        default_factory=dict
    )  # by placement id: why such copies could not be read
    retained: frozenset[str] = frozenset()  # tiers in which retention wants WORM locks


def claim_due(
    engine: Engine, worker: Worker, *, tenant: str | None, tiers: Sequence[str] | None = None
) -> list[schedule.Claimed]:
    """Lease a batch of the artifacts due longest; ``tiers``: only those with a present copy in one of these."""
    return step_1_claim(engine, worker, ids=None, tenant=tenant, tiers=tiers)


def converge_these(engine: Engine, worker: Worker, ids: Sequence[UUID]) -> Report:
    """Converge these artifacts now, due or not, except parked ones and those that another worker has leased."""
    return converge(engine, worker, step_1_claim(engine, worker, ids=ids))


def converge(engine: Engine, worker: Worker, claimed: Sequence[schedule.Claimed]) -> Report:
    """Converge the claimed artifacts; each gets one outcome, and none stops the others."""
    report = Report()
    limit = engine.settings.engine.attempts
    stuck = {
        c.artifact: f"given up after {format_count(limit, 'attempt')}: {c.tried}" for c in claimed if c.attempts > limit
    }
    if stuck:
        report.outcomes.update(commit.park(engine.catalog, worker, stuck))
    report.outcomes.update(_end(engine, worker, [c.artifact for c in claimed if c.attempts == 1 and c.tried in _ENDS]))
    ids = [c.artifact for c in claimed if c.artifact not in report.outcomes]
    if not ids:
        return report
    decided = step_2_decide(engine, ids)
    if unreadable := commit.unreadable(decided.rows.values()):
        report.outcomes.update(commit.park(engine.catalog, worker, unreadable))
        ids = [artifact for artifact in ids if artifact not in unreadable]
        decided = step_2_decide(engine, ids)
    if decided.suspects:
        suspects.look_again(engine, decided.suspects, caller=worker.caller)
        decided = step_2_decide(engine, ids)
    if decided.doubts:
        decided = step_2_decide(engine, ids, unread=read_doubtful(engine, worker, ids, decided.doubts))
    lockable = worm.ask(engine, decided.retained)
    intents, foreign = step_3_intend(engine, worker, decided) if decided.lacking else ([], set())
    done = step_4_copy(engine, worker, ids, intents) if intents else []
    results, locks = step_5_commit(engine, worker, ids, done, foreign, decided.unread, lockable=lockable)
    step_6_lock(engine, locks)
    report.outcomes.update(results)
    report.copied = sum(t.upload.size for t in done if t.upload is not None)
    return report


def _end(engine: Engine, worker: Worker, ids: Sequence[UUID]) -> dict[UUID, commit.Result]:
    """Commit artifacts whose time ends, without steps 2 to 4, as nothing is copied of them; return the outcomes.

    The commit decides (R9). What it does not end was not what the schedule foretold, and takes all steps then.
    """
    if not ids:
        return {}
    results, _ = step_5_commit(engine, worker, ids, [], set(), ending=True)  # what ends gets no lock
    return results


def step_1_claim(
    engine: Engine,
    worker: Worker,
    *,
    ids: Sequence[UUID] | None,
    tenant: str | None = None,
    tiers: Sequence[str] | None = None,
) -> list[schedule.Claimed]:
    """Lease artifacts and count the attempt, in one short transaction that waits for no lock."""
    return engine.catalog.run(
        worker.caller,
        _claim_artifacts,
        ids,
        token=worker.token,
        lease_seconds=engine.lease,
        limit=engine.settings.engine.batch,
        tenant=tenant,
        tiers=tiers,
    )


def _claim_artifacts(
    connection: sa.Connection,
    ids: Sequence[UUID] | None,
    *,
    token: UUID,
    lease_seconds: float,
    limit: int,
    tenant: str | None,
    tiers: Sequence[str] | None,
) -> list[schedule.Claimed]:
    now = catalog_now(connection)
    if ids is not None:
        return schedule.claim_these(connection, ids, token=token, now=now, lease_seconds=lease_seconds)
    return schedule.claim(
        connection, token=token, now=now, lease_seconds=lease_seconds, limit=limit, tenant=tenant, tiers=tiers
    )


def step_2_decide(
    engine: Engine, ids: Sequence[UUID], *, unread: Mapping[UUID, TierkeeperError] | None = None
) -> Decided:
    """Decide what is wanted of each blob of the batch; reads only. ``unread``: doubtful copies not to be read again."""
    passed = unread or {}
    with engine.catalog.reading() as connection:
        moment = Moment.read(connection, engine)
        rows = artifacts.load(connection, ids)
        of = [row for row in rows if row.blob_id is not None]
        ids_of_blobs = in_order(row.blob_id for row in of if row.blob_id is not None)
        wants = artifacts.sibling_wants(connection, ids_of_blobs, batch=ids)
        copies = placements.of_blobs(connection, ids_of_blobs)
        decided = [(row, moment.decide(row)) for row in of]
        wishes = [(row, decision.policy) for row, decision in decided if brake.deletes(row, decision)]
        stopped = brake.foreseen(connection, engine.settings, moment, wishes)
    wanted: dict[UUID, set[str]] = {blob: set(wants.get(blob, ())) for blob in ids_of_blobs}
    rule: dict[UUID, str] = {}
    owner: dict[UUID, ArtifactRow] = {}
    for row, first in decided:
        if row.blob_id is None or not row.counted:
            continue
        decision = brake.barred(moment, row) if row.id in stopped else first
        wanted[row.blob_id] |= decision.tiers
        if row.blob_id not in owner:
            owner[row.blob_id], rule[row.blob_id] = row, decision.rule
    lacking = {b for b, tiers in wanted.items() if b in owner and fates.lacking(tiers, copies[b])}
    doubts = [
        unvouched.Doubt(copy, owner[blob].content)
        for blob in in_order(lacking)
        for copy in _to_read(engine, wanted[blob], copies[blob], passed)
    ]
    return Decided(
        rows={row.id: row for row in rows},
        wanted={blob: frozenset(tiers) for blob, tiers in wanted.items()},
        rule=rule,
        owner=owner,
        lacking=frozenset(lacking),
        suspects=tuple(p for blob in in_order(lacking) for p in copies[blob] if p.suspect and p.tier in engine.stores),
        doubts=tuple(doubts),
        unread=passed,
        retained=worm.tiers_of(decision.policy for _row, decision in decided),
    )


def read_doubtful(
    engine: Engine, worker: Worker, ids: Sequence[UUID], doubts: Sequence[unvouched.Doubt]
) -> Mapping[UUID, TierkeeperError]:
    """Read copies that are not vouched for (R18); return, by placement id, why some could not be read."""
    return unvouched.resolve(engine, doubts, _renewal(engine, worker, ids), caller=worker.caller)


def step_3_intend(engine: Engine, worker: Worker, decided: Decided) -> tuple[list[Intent], set[UUID]]:
    """Commit ``copying`` rows for missing copies; return them, and the blobs that another worker is copying."""
    return engine.catalog.run(worker.caller, _write_intents, engine, decided, token=worker.token)


def _write_intents(
    connection: sa.Connection, engine: Engine, decided: Decided, *, token: UUID
) -> tuple[list[Intent], set[UUID]]:
    intents: list[Intent] = []
    foreign: set[UUID] = set()
    blobs.lock(connection, decided.lacking)
    now = catalog_now(connection)
    copies = placements.of_blobs(connection, decided.lacking)
    new_rows = []
    for blob in in_order(decided.lacking):
        sources = [p for p in fates.sources(copies[blob]) if p.tier in engine.stores]
        if not sources:
            continue  # no source, or the content itself is gone since step 2: the commit reports it
        deferred = {copy.tier for copy in _to_read(engine, decided.wanted[blob], copies[blob], decided.unread)}
        deferred |= fates.blocked_by_suspects(copies[blob])
        for tier in sorted(fates.lacking(decided.wanted[blob], copies[blob]) - deferred):
            if tier not in engine.stores:  # no longer configured: the commit reports it
                continue
            if any(_live_copying(p, tier, token, now=now, lease=engine.settings.engine.lease) for p in copies[blob]):
                foreign.add(blob)
                continue
            intent = _intent(engine, decided.owner[blob], blob, tier, sources)
            intents.append(intent)
            new_rows.append(
                NewIntent(
                    id=intent.placement,
                    blob_id=blob,
                    artifact_id=decided.owner[blob].id if engine.store(tier).readable_layout else None,
                    tier=tier,
                    location=intent.location,
                    token=token,
                    lease_until=now + timedelta(seconds=engine.lease),
                    placed_by=decided.rule[blob],
                )
            )
    placements.intend(connection, new_rows)
    return intents, foreign


def step_4_copy(engine: Engine, worker: Worker, ids: Sequence[UUID], intents: Sequence[Intent]) -> list[Transferred]:
    """Carry out the intents in parallel, renewing the leases on progress; report bad sources."""
    away = engine.refused((intent.tier for intent in intents), before=True)
    going = [intent for intent in intents if intent.tier not in away]
    done = believed(engine, transfer_all(engine, going, _renewal(engine, worker, ids)))
    done += [Transferred(intent, None, away[intent.tier]) for intent in intents if intent.tier in away]
    alarm(done)
    for transferred in done:
        for source, wrong in transferred.bad_sources:
            damage.report(engine, source, wrong, caller=worker.caller)
    return done


def step_5_commit(
    engine: Engine,
    worker: Worker,
    ids: Sequence[UUID],
    done: Sequence[Transferred],
    foreign: set[UUID],
    unread: Mapping[UUID, TierkeeperError] | None = None,
    *,
    lockable: Mapping[str, bool] = MappingProxyType({}),
    ending: bool = False,
) -> tuple[dict[UUID, commit.Result], list[worm.RetentionLock]]:
    """Run the commit point of the batch: see :func:`commit.batch`."""
    return engine.catalog.run(
        worker.caller,
        commit.batch,
        engine,
        worker,
        ids=ids,
        done=done,
        foreign=foreign,
        unread=unread or {},
        lockable=lockable,
        ending=ending,
    )


def step_6_lock(engine: Engine, locks: Sequence[worm.RetentionLock]) -> None:
    """Set the WORM locks that retention wants; where one fails, the artifact is due again."""
    worm.apply(engine, locks)


def _renewal(engine: Engine, worker: Worker, ids: Sequence[UUID]) -> Renewal:
    def renew() -> None:
        worker.progressed()
        engine.catalog.run(worker.caller, _renew_leases, ids, token=worker.token, lease_seconds=engine.lease)

    numbers = engine.settings.engine
    return Renewal(renew, every=numbers.renew_every.total_seconds(), cap=numbers.lease_cap.total_seconds())


def _renew_leases(connection: sa.Connection, ids: Sequence[UUID], *, token: UUID, lease_seconds: float) -> None:
    schedule.renew(connection, ids, token=token, lease_seconds=lease_seconds)
    placements.renew(connection, token, lease_seconds=lease_seconds)


def _to_read(
    engine: Engine, wanted: Collection[str], copies: Sequence[PlacementRow], unread: Collection[UUID]
) -> list[PlacementRow]:
    """Return the doubtful copies to read before anything is copied to their tiers.

    A copy that would have to be thawed is not read but copied again, if any readable copy is vouched for.
    """
    vouched = any(p.readable and p.vouched is not None and p.tier in engine.stores for p in copies)
    return [
        p
        for p in fates.doubtful(wanted, copies)
        if p.id not in unread and p.tier in engine.stores and not (vouched and engine.store(p.tier).must_thaw)
    ]


def _live_copying(placement: PlacementRow, tier: str, token: UUID, *, now: datetime, lease: timedelta) -> bool:
    """Return True if another worker has a lease on a copy there; one from the future was given by a wrong clock."""
    return (
        placement.tier == tier
        and placement.state is PlacementState.COPYING
        and placement.token != token
        and placement.lease_until is not None
        and now < placement.lease_until <= now + 2 * lease
    )


def _intent(engine: Engine, artifact: ArtifactRow, blob: UUID, tier: str, sources: Sequence[PlacementRow]) -> Intent:
    store = engine.store(tier)
    info = info_of(artifact, new_id())
    # vouched sources first; among them those that the server can copy itself are the cheapest
    near = sorted(sources, key=lambda p: (p.vouched is None, engine.store(p.tier).realm != store.realm))
    return Intent(info.placement, blob, tier, store.location(info), info, tuple(near))
