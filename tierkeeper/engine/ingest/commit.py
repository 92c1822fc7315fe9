"""The commit of a store: an incoming item, the answer to a repeated delivery, and the transaction that commits a batch.

A crash before the commit leaves intents and their bytes, which collect removes. A crash after it leaves the artifact
stored, and due for what else it wants; its locks of retention are set by converge.
"""

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import Arrival, VersionStored
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState, PlacementState
from tierkeeper.catalog import artifacts, blobs, commands, events, placements, schedule, staging
from tierkeeper.catalog.json_values import equal_json
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import fates, worm
from tierkeeper.engine.copies.transfer import Intent
from tierkeeper.engine.ingest.sources import Body
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decide import entry_tiers, first_written
from tierkeeper.policy.decision import Action, listed
from tierkeeper.policy.match import Subject
from tierkeeper.policy.rules import Policy
from tierkeeper.stores.base import ObjectInfo
from tierkeeper.values.artifacts import Ref, StoreResult
from tierkeeper.values.plain import plain
from tierkeeper_client.contract import StoreArgs


@dataclass(frozen=True, slots=True)
class Incoming:
    """One item being stored for a caller; ``position``: in its batch; ``artifact``: its id as a new version."""

    position: int
    args: StoreArgs
    caller: Caller
    content: Body
    created: datetime
    delivery: commands.DeliveredItem
    artifact: UUID = field(default_factory=new_id)

    @property
    def ref(self) -> Ref:
        """The item's name, without a version."""
        return Ref(self.args.tenant, self.args.workflow, self.args.name)

    @property
    def subject(self) -> Subject:
        """The subject that policies are matched against."""
        return Subject(
            tenant=self.args.tenant,
            workflow=self.args.workflow,
            name=self.args.name,
            tags=tuple(sorted(self.args.tags.items())),
            content_type=self.args.content_type,
            size=self.content.size,
        )

    def info(self, placement: UUID, version: int) -> ObjectInfo:
        """Return what a store keeps with the bytes; ``version``: the likely one, which only the commit determines."""
        return ObjectInfo(
            tenant=self.args.tenant,
            workflow=self.args.workflow,
            name=self.args.name,
            version=version,
            placement=placement,
            sha256=self.content.sha256,
            size=self.content.size,
            created=self.created,
            content_type=self.args.content_type,
            metadata=self.args.metadata,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The result of step 2: the token of the intents; by position, each item's intents and its ``first`` tiers.

    ``scopes``: the dedup scope by tenant; ``first``: tiers that must have a copy before store returns; ``held``: tiers
    that have copies that count, according to the catalog; ``retained``: tiers of retention that have or get a copy.
    """

    token: UUID
    items: list[Incoming]
    scopes: dict[str, str]
    intents: dict[int, list[Intent]]
    first: dict[int, frozenset[str]]
    held: frozenset[str]
    retained: frozenset[str]


@dataclass(frozen=True, slots=True)
class AskedStore:
    """An item of a batch, as a caller asks for it to be stored: as item ``number`` of the command with its key.

    ``position``: in the batch, whose items may be of many commands.
    """

    position: int
    args: StoreArgs
    caller: Caller
    verb: str
    number: int

    def delivered(self, given: bytes | None = None) -> commands.DeliveredItem:
        """Return its key in ``commands``; ``given``: the SHA-256 of content that was given beside ``args``."""
        digest = hashlib.sha256(self.args.model_dump_json().encode())
        digest.update(b"" if given is None else b"given" + given)
        return commands.DeliveredItem(self.args.tenant, self.caller.key, self.number, self.verb, digest.digest())


@dataclass(frozen=True, slots=True)
class Opening:
    """The state of the catalog as a batch arrives: keys in ``commands`` and results found there, by position."""

    deliveries: dict[int, commands.DeliveredItem]
    known: dict[int, StoreResult]
    moment: Moment


def opening(engine: Engine, items: Sequence[AskedStore]) -> Opening:
    """Read, once for a whole batch, what its items need: results of earlier deliveries and the moment."""
    deliveries = {item.position: item.delivered() for item in items}
    with engine.catalog.reading() as connection:
        return Opening(deliveries, _known(connection, deliveries), Moment.read(connection, engine))


def _known(connection: sa.Connection, deliveries: Mapping[int, commands.DeliveredItem]) -> dict[int, StoreResult]:
    """Return the results of earlier deliveries, by position; one message may be delivered twice in a batch."""
    results = commands.find(connection, set(deliveries.values()))
    return {position: _result(results[each]) for position, each in deliveries.items() if each in results}


def _result(recorded: dict[str, Any]) -> StoreResult:
    return StoreResult(
        ref=Ref(**recorded["ref"]),
        artifact=UUID(recorded["artifact"]),
        sha256=recorded["sha256"],
        size=recorded["size"],
        tiers=tuple(recorded["tiers"]),
        outcome=recorded["outcome"],
    )


@dataclass(slots=True)
class _Batch:
    """The rows and results that the commit gathers before it writes."""

    results: dict[int, StoreResult | TierkeeperError]
    new: list[ArtifactRow]
    due: list[schedule.Coming]
    lines: list[events.Line]
    recorded: list[tuple[commands.DeliveredItem, dict[str, Any]]]
    latest: dict[UUID, int]


def commit(
    connection: sa.Connection,
    engine: Engine,
    prepared: Prepared,
    items: Sequence[Incoming],
    uploads: Sequence[placements.VouchedUpload],
    *,
    confirmed: AbstractSet[str],
    lockable: Mapping[str, bool],
) -> tuple[dict[int, StoreResult | TierkeeperError], list[worm.RetentionLock]]:
    """Commit a batch of items (``ingest``, step 4); return the results by position, and the WORM locks to set.

    An item rests only on copies in ``confirmed`` tiers; one whose copy vanished since step 2 has no result.
    ``lockable``: see :func:`worm.wanted`.
    """
    known = _known(connection, {item.position: item.delivery for item in items})
    batch = _Batch({**known}, [], [], [], [], {})
    fresh = [item for item in items if item.position not in batch.results]
    taken = blobs.take(connection, {(prepared.scopes[i.args.tenant], i.content.sha256, i.content.size) for i in fresh})
    blobs.lock(connection, {u.blob for u in uploads} - set(taken.values()))
    heads = artifacts.take_names(connection, [_name(i) for i in fresh])
    previous = artifacts.latest_of_names(connection, {h.id for h in heads.values()})
    moment = Moment.read(connection, engine)
    now = moment.now
    needs: dict[UUID, set[str]] = {blob: set() for blob in {*taken.values(), *(u.blob for u in uploads)}}
    places = []
    for item in fresh:
        policy = moment.policies.governing(item.subject)
        first = first_written(policy, entry_tiers(policy), engine.tiers)
        last = previous.get(heads[_name(item)].id)
        blob = taken[prepared.scopes[item.args.tenant], item.content.sha256]
        needed = first
        if last is not None and _same(item, last):
            needed = first & last.wanted
            # an unchanged artifact gets a copy back in a tier that it has left only if no other copy counts
            if not needed and not _relied_on(connection, blob, confirmed):
                needed = first
                batch.due.append(schedule.Coming(last.id, last.tenant, now, f"move to {listed(last.wanted)}"))
        place = Destination(blob=blob, policy=policy, first=first, needed=needed)
        places.append(place)
        needs[place.blob] |= place.needed
    present = _settle(connection, engine, prepared.token, needs, uploads, now=now)
    locks: list[worm.RetentionLock] = []
    for item, place in zip(fresh, places, strict=True):
        present_tiers = {p.tier for p in present[place.blob]}
        ours = present_tiers & confirmed
        head = heads[_name(item)]
        last = previous.get(head.id)
        if last is not None and _same(item, last):
            if intents := prepared.intents[item.position]:  # they carry the name of the version that there is
                placements.rename(connection, [i.placement for i in intents], artifact=last.id)
            if place.needed <= ours:
                _finish(batch, item, _result_of(last, ours, "unchanged"))
            continue
        if not place.first <= ours:
            continue  # a copy that existed at step 2 is gone, or another is needed: the item starts again
        version = batch.latest.get(head.id, head.latest) + 1
        row = new_row(moment, item, head.id, version, place)
        batch.latest[head.id] = version
        previous[head.id] = row
        _finish(batch, item, _result_of(row, ours, "stored" if prepared.intents[item.position] else "deduplicated"))
        missing = worm.wanted(engine, place.policy, row.retain_until, present[place.blob], lockable=lockable, now=now)
        locks.extend(missing)
        _add(engine, batch, moment, row, present=present_tiers, locks=bool(missing), caller=item.caller)
    _take_staged(connection, engine, [item for item in fresh if item.position in batch.results])
    _write(connection, batch, moment, previous)
    return batch.results, locks


def _take_staged(connection: sa.Connection, engine: Engine, answered: Sequence[Incoming]) -> None:
    for item in answered:
        if item.content.staged is not None:
            staging.take(connection, item.content.staged, ttl=engine.settings.staging.ttl)


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of an item: its blob, its policy, and the tiers that must have a copy before store returns.

    ``needed``: those of ``first`` that the item needs. An item that equals the latest version needs those which that
    still wants; if it wants none of them, and no copy counts in a confirmed tier, all of ``first``.
    """

    blob: UUID
    policy: Policy
    first: frozenset[str]
    needed: frozenset[str]


def _name(item: Incoming) -> tuple[str, str, str]:
    return (item.args.tenant, item.args.workflow, item.args.name)


def _same(item: Incoming, last: ArtifactRow) -> bool:
    return (
        not item.args.force
        and last.state is ArtifactState.LIVE
        and last.sha256 == item.content.sha256
        and equal_json(last.metadata, item.args.metadata)
        and last.tags == item.args.tags
        and last.content_type == item.args.content_type
    )


def _relied_on(connection: sa.Connection, blob: UUID, confirmed: AbstractSet[str]) -> bool:
    """Return True if a copy that counts is in a tier whose mark was read."""
    return any(p.tier in confirmed and fates.good(p) for p in placements.of_blobs(connection, [blob])[blob])


def _result_of(row: ArtifactRow, tiers: set[str], outcome: str) -> StoreResult:
    return StoreResult(row.ref, row.id, row.sha256.hex(), row.size, tuple(sorted(tiers)), outcome)


def _finish(batch: _Batch, item: Incoming, result: StoreResult) -> None:
    batch.results[item.position] = result
    batch.recorded.append((item.delivery, plain(result)))


def _settle(
    connection: sa.Connection,
    engine: Engine,
    token: UUID,
    needs: dict[UUID, set[str]],
    uploads: Sequence[placements.VouchedUpload],
    *,
    now: datetime,
) -> dict[UUID, list[PlacementRow]]:
    """Make uploads present, or doomed where a copy counts already or none is needed; rescue doomed ones needed.

    Returns the copies that count, by blob. No copy is doomed for being unwanted: converge decides that.
    """
    ours = placements.by_blob(uploads)
    copies = placements.of_blobs(connection, needs)
    settled = {
        blob: fates.settle(
            {p.tier for p in copies[blob] if p.state is PlacementState.PRESENT} | tiers,
            copies[blob],
            ours.get(blob, ()),
            token=token,
            configured=engine.stores,
        )
        for blob, tiers in needs.items()
    }
    fates.write(connection, settled.values(), token=token, now=now, grace=engine.grace)
    healed = [
        blob
        for blob, fate in settled.items()
        if (fate.uploads or fate.rescued) and any(p.damaged_at or p.missed_at for p in copies[blob])
    ]
    if healed:
        schedule.start_afresh(connection, healed, now=now)
    copies = placements.of_blobs(connection, needs)
    return {blob: [p for p in rows if fates.good(p)] for blob, rows in copies.items()}


def new_row(moment: Moment, item: Incoming, name: UUID, version: int, place: Destination) -> ArtifactRow:
    """Return the row of an item's new version."""
    args, policy = item.args, place.policy
    row = ArtifactRow(
        id=item.artifact,
        name_id=name,
        tenant=args.tenant,
        workflow=args.workflow,
        name=args.name,
        version=version,
        blob_id=place.blob,
        sha256=item.content.sha256,
        size=item.content.size,
        content_type=args.content_type,
        metadata=args.metadata,
        tags=args.tags,
        created_at=item.created,
        stored_at=moment.now,
        accessed_at=None,
        policy_id=policy.id,
        state=ArtifactState.LIVE,
        wanted=entry_tiers(policy),
        retain_mode=None if policy.retention is None else policy.retention.mode.value,
    )
    row.retain_until = moment.retained_until(row)
    return row


def _add(
    engine: Engine,
    batch: _Batch,
    moment: Moment,
    row: ArtifactRow,
    *,
    present: set[str],
    locks: bool,
    caller: Caller,
) -> None:
    """Gather the rows of a new version: the artifact, its schedule, its event."""
    batch.new.append(row)
    now = moment.now
    decision = moment.decide(row)
    policy = decision.policy
    settled = decision.action is Action.KEEP and decision.tiers == row.wanted and row.wanted <= present
    due_at = decision.next_due if settled else now
    if settled and locks:
        # the locks are set right after this commit; if that fails, converge sets them at this time
        due_at = now + timedelta(seconds=engine.lease)
    if due_at is not None:
        step = (
            f"move to {listed(decision.tiers)}"
            if not settled and decision.action is Action.KEEP
            else decision.next_step
        )
        batch.due.append(schedule.Coming(row.id, row.tenant, due_at, step, decision.deleting_policy(due_at)))
    batch.lines.append(
        events.of_artifact(
            row,
            VersionStored(after=Arrival(state=row.state, wanted=row.wanted, present=present, size=row.size)),
            revision=1,
            now=now,
            actor=caller.actor,
            policy=f"{policy.label}: phase {policy.phases[0].after}",
            correlation=caller.correlation,
        )
    )


def _write(connection: sa.Connection, batch: _Batch, moment: Moment, previous: dict[UUID, ArtifactRow]) -> None:
    """Write the gathered rows, in lock order (R14)."""
    if batch.latest:
        artifacts.set_latest(connection, batch.latest)
        artifacts.insert(connection, batch.new)
    schedule.put(connection, list({coming.artifact: coming for coming in batch.due}.values()))
    for name in batch.latest:
        row = previous[name]
        policy = moment.policies.governing(row.subject)
        keep = policy.versions_keep
        if keep is not None and row.version > keep:
            surplus = artifacts.surplus_versions(connection, name, keep=keep)
            coming = [schedule.Coming(a, row.tenant, moment.now, "purge", policy.name) for a in surplus]
            schedule.put_deletes(connection, coming)
    commands.record(connection, batch.recorded)
    events.append(connection, batch.lines, at=moment.now)
