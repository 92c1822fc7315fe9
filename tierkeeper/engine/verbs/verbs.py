"""promote, archive, restore, purge, undelete: each changes what is wanted, then converges.

1. wish (transaction): THE COMMIT POINT of a verb. Under the locks of R14, write the new wish into the artifacts, make
   them due (R9), write the events and the row in ``commands``. A crash after it leaves due artifacts, which the next
   sweep converges.
2. converge: converge those artifacts in this process, except where another worker has the lease. A crash leaves what
   converge leaves.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import ArtifactPayload
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import AlreadyThere, ArtifactNotFound, TooManyVersions
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState, Outcome
from tierkeeper.catalog import artifacts, blobs, commands, events, placements, schedule
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine, Worker
from tierkeeper.engine.converge.converge import converge_these
from tierkeeper.engine.copies import fates
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.verbs import wishes
from tierkeeper.engine.verbs.wishes import Wish
from tierkeeper.values.artifacts import Ref, VerbResult
from tierkeeper_client.contract import ArchiveArgs, PromoteArgs, PurgeArgs, RestoreArgs, UndeleteArgs, VerbArgs

Decide = Callable[[wishes.Asked], Wish]

#: versions that one verb changes: it is one transaction, with one row of ``commands`` for all its answers
MOST: Final = 1000
_MOVES = PromoteArgs, ArchiveArgs  # the requested copies may be present already
_NOT_COUNTED = "its copy in {tier} is not counted: the tier is away (`tierkeeper health` says why)"


@dataclass(frozen=True, slots=True)
class _Answered:
    """The result of a verb's step 1 for one artifact, as recorded in ``commands``."""

    artifact: UUID
    ref: Ref
    outcome: Outcome
    state: ArtifactState
    wanted: tuple[str, ...]
    detail: str
    purge_at: datetime | None

    def recorded(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "artifact": str(self.artifact),
            "ref": [self.ref.tenant, self.ref.workflow, self.ref.name, self.ref.version],
            "outcome": self.outcome.value,
            "state": self.state.value,
            "wanted": list(self.wanted),
            "detail": self.detail,
            "purge_at": None if self.purge_at is None else self.purge_at.isoformat(),
        }

    @classmethod
    def read(cls, recorded: dict[str, Any]) -> "_Answered":
        """Return what :meth:`recorded` wrote."""
        return cls(
            artifact=UUID(recorded["artifact"]),
            ref=Ref(*recorded["ref"]),
            outcome=Outcome(recorded["outcome"]),
            state=ArtifactState(recorded["state"]),
            wanted=tuple(recorded["wanted"]),
            detail=recorded["detail"],
            purge_at=None if recorded["purge_at"] is None else datetime.fromisoformat(recorded["purge_at"]),
        )


def promote(engine: Engine, args: PromoteArgs, *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
    """Move artifacts to one tier, hotter or colder, until their next phase begins."""
    return _carry_out(engine, args, caller=caller, dry_run=dry_run)


def archive(engine: Engine, args: ArchiveArgs, *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
    """Move artifacts to the coldest tier, for good; their purge age stays."""
    return _carry_out(engine, args, caller=caller, dry_run=dry_run)


def restore(engine: Engine, args: RestoreArgs, *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
    """Add a copy in the hottest tier (or the given one), for some days or for good."""
    return _carry_out(engine, args, caller=caller, dry_run=dry_run)


def purge(engine: Engine, args: PurgeArgs, *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
    """Delete artifacts now; they can be undeleted until the undo window ends."""
    return _carry_out(engine, args, caller=caller, dry_run=dry_run)


def undelete(engine: Engine, args: UndeleteArgs, *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
    """Make deleted artifacts live again, while their undo window lasts."""
    return _carry_out(engine, args, caller=caller, dry_run=dry_run)


def ask(engine: Engine, args: VerbArgs, *, caller: Caller) -> list[VerbResult]:
    """Take only step 1 of a verb: its wish is committed, and the next sweep carries it out."""
    return _results(engine, args, _take_step_1(engine, args, caller=caller, dry_run=False), dry_run=False)


def _carry_out(engine: Engine, args: VerbArgs, *, caller: Caller, dry_run: bool) -> list[VerbResult]:
    answered = _take_step_1(engine, args, caller=caller, dry_run=dry_run)
    if not dry_run:
        step_2_converge(engine, [i.artifact for i in answered if i.outcome is Outcome.DONE], caller=caller)
    return _results(engine, args, answered, dry_run=dry_run)


def _take_step_1(engine: Engine, args: VerbArgs, *, caller: Caller, dry_run: bool) -> list[_Answered]:
    """Take step 1; AlreadyThere is raised only if the tier's place is confirmed now (R19), else the tier's error."""
    caller = caller.keyed()
    verb, decide = _asking(engine, args)
    try:
        return step_1_wish(engine, verb, args, decide, caller=caller, dry_run=dry_run)
    except AlreadyThere as error:
        engine.marks.confirm(engine.store(error.data["tier"]), before=True, bound=True)
        raise


def _asking(engine: Engine, args: VerbArgs) -> tuple[str, Decide]:
    """Return the name of the verb that ``args`` belong to, and the function that makes its wish; raises UnknownTier."""
    match args:
        case PromoteArgs(to_tier=tier):
            engine.store(tier)
            return "promote", lambda asked: wishes.promote(asked, tier)
        case RestoreArgs(to_tier=to_tier, days=days):
            if to_tier is not None:
                engine.store(to_tier)
            return "restore", lambda asked: wishes.restore(asked, to_tier, days)
        case ArchiveArgs():
            return "archive", wishes.archive
        case PurgeArgs():
            return "purge", wishes.purge
        case UndeleteArgs():
            return "undelete", wishes.undelete
    raise AssertionError(type(args))


def step_1_wish(
    engine: Engine, verb: str, args: VerbArgs, decide: Decide, *, caller: Caller, dry_run: bool
) -> list[_Answered]:
    """Write the wish, or answer a repeated delivery from ``commands``; if an error refuses it, nothing is changed."""
    arguments_hash = hashlib.sha256(args.model_dump_json().encode()).digest()
    delivery = commands.DeliveredItem(args.tenant, caller.key, 0, verb, arguments_hash)
    return engine.catalog.run(caller, _write_wish, engine, delivery, args, decide, caller=caller, dry_run=dry_run)


def _write_wish(
    connection: sa.Connection,
    engine: Engine,
    delivery: commands.DeliveredItem,
    args: VerbArgs,
    decide: Decide,
    *,
    caller: Caller,
    dry_run: bool,
) -> list[_Answered]:
    known = commands.find(connection, [delivery])
    if known:
        return [_Answered.read(r) for r in known[delivery]["results"]]
    peek = _selected(connection, args)
    blobs.lock(connection, [a.blob_id for a in peek if a.blob_id is not None])
    artifacts.lock_only(connection, [a.id for a in peek])
    schedule.lock(connection, [a.id for a in peek])
    known = commands.find(
        connection, [delivery]
    )  # another delivery may have committed while this one waited for the locks
    if known:
        return [_Answered.read(r) for r in known[delivery]["results"]]
    rows = artifacts.load(connection, [a.id for a in peek])
    moment = Moment.read(connection, engine)
    now = moment.now
    copies = placements.of_blobs(connection, [a.blob_id for a in rows if a.blob_id is not None])
    asked = [
        wishes.Asked(
            row=row,
            moment=moment,
            present=_present(copies, row),
            tiers=engine.tiers,
            settings=engine.settings.engine,
            several=args.all_versions,
            reason=args.reason,
        )
        for row in rows
    ]
    pairs = [(a, decide(a)) for a in asked]
    answered = [_answered(a, wish) for a, wish in pairs]
    if dry_run:
        return answered
    changes = [(wish, wish.event) for _, wish in pairs if wish.event is not None]
    _write(connection, delivery.verb, changes, caller=caller, now=now)
    if delivery.verb == "undelete":
        _make_surplus_due(connection, [a for a, wish in pairs if wish.event is not None], now=now)
    commands.record(connection, [(delivery, {"results": [i.recorded() for i in answered]})])
    return answered


def step_2_converge(engine: Engine, ids: Sequence[UUID], *, caller: Caller) -> None:
    """Converge the changed artifacts; those leased by another worker are left to that worker, or to the next sweep."""
    batch = engine.settings.engine.batch
    for start in range(0, len(ids), batch):
        worker = Worker(token=new_id(), caller=caller)
        converge_these(engine, worker, ids[start : start + batch])


def _selected(connection: sa.Connection, args: VerbArgs) -> list[ArtifactRow]:
    ref = Ref(args.tenant, args.workflow, args.name, args.version)
    if args.all_versions:
        found = artifacts.newest_versions(connection, ref, limit=MOST + 1)
        if len(found) > MOST:
            raise TooManyVersions(ref=ref, limit=MOST)
    else:
        version = artifacts.by_ref(connection, ref)
        found = [] if version is None else [version]
    if not found:
        raise ArtifactNotFound(ref=ref)
    return found


def _answered(asked: wishes.Asked, wish: Wish) -> _Answered:
    row = asked.row
    return _Answered(
        artifact=row.id,
        ref=row.ref,
        outcome=Outcome.NOTHING if wish.event is None else Outcome.DONE,
        state=wish.new.state,
        wanted=tuple(sorted(wish.wanted)),
        detail=wish.detail,
        purge_at=wish.new.purge_at,
    )


def _write(
    connection: sa.Connection,
    verb: str,
    changes: Sequence[tuple[Wish, ArtifactPayload]],
    *,
    caller: Caller,
    now: datetime,
) -> None:
    rows = [replace(wish.new, revision=wish.new.revision + 1) for wish, _ in changes]
    artifacts.write_asked(connection, rows)
    lines = [
        events.of_artifact(
            row,
            event,
            revision=row.revision,
            now=now,
            actor=caller.actor,
            policy=f"verb {verb}",
            correlation=caller.correlation,
        )
        for row, (_, event) in zip(rows, changes, strict=True)
    ]
    schedule.put(connection, [schedule.Coming(w.new.id, w.new.tenant, w.due_at or now, w.step) for w, _ in changes])
    events.append(connection, lines, at=now)


def _make_surplus_due(connection: sa.Connection, back: Sequence[wishes.Asked], *, now: datetime) -> None:
    """Make versions due that are surplus after an undelete, as a store does; nothing else would make them due."""
    for asked in back:
        policy, row = asked.policy, asked.row
        if policy.versions_keep is not None:
            surplus = artifacts.surplus_versions(connection, row.name_id, keep=policy.versions_keep)
            coming = [schedule.Coming(a, row.tenant, now, "purge", policy.name) for a in surplus]
            schedule.put_deletes(connection, coming)


def _results(engine: Engine, args: VerbArgs, answered: Sequence[_Answered], *, dry_run: bool) -> list[VerbResult]:
    """Return the wished changes with the tiers that have copies now, counting only confirmed tiers (R19).

    If a move has nothing to do, but relies on a copy in a wanted tier that is away, the tier's error is raised: whether
    the copy exists is uncertain, and nothing was changed.
    """
    with engine.catalog.reading() as connection:
        rows = {row.id: row for row in artifacts.load(connection, [i.artifact for i in answered])}
        copies = placements.of_blobs(connection, [r.blob_id for r in rows.values() if r.blob_id is not None])
    held = [_present(copies, rows[i.artifact]) if i.artifact in rows else frozenset() for i in answered]
    counted = [engine.store(t.name) for t in engine.tiers if any(t.name in tiers for tiers in held)]
    # a purge relies on no copy, so it does not wait for a slow store
    away = {} if isinstance(args, PurgeArgs) else engine.marks.refused(counted, before=True, bound=True)
    relied = {t for i, tiers in zip(answered, held, strict=True) for t in tiers.intersection(i.wanted)} & away.keys()
    if relied and isinstance(args, _MOVES) and all(i.outcome is Outcome.NOTHING for i in answered):
        raise away[min(relied)]
    return [
        VerbResult(
            ref=i.ref,
            artifact=i.artifact,
            outcome=i.outcome,
            state=i.state,
            wanted=i.wanted,
            present=tuple(t.name for t in engine.tiers if t.name in tiers - away.keys()),
            detail="; ".join([i.detail, *(_NOT_COUNTED.format(tier=tier) for tier in sorted(tiers & away.keys()))]),
            purge_at=i.purge_at,
            dry_run=dry_run,
        )
        for i, tiers in zip(answered, held, strict=True)
    ]


def _present(copies: dict[UUID, list[PlacementRow]], row: ArtifactRow) -> frozenset[str]:
    here = copies.get(row.blob_id, []) if row.blob_id is not None else []
    return frozenset(p.tier for p in here if fates.good(p))
