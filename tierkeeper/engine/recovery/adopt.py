"""Adopt objects without a placement: a rebuilt or restored catalog learns from the objects what it has lost.

An object is adopted when it describes itself and its bytes, read whole, match that description. It becomes another copy
of an artifact that the catalog knows, or a new artifact under a hold named ``rebuilt``: that one cannot expire until an
operator approves it. Content that the catalog knows as purged or collected is not revived; its object stays an orphan,
which reconcile deletes after its quarantine.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import ArtifactRebuilt, Placed, ReturnedArtifact, TakenOver
from tierkeeper.audit.placements import BytesLeftAside, BytesLeftOver, LooseBytes
from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.clock import Outside
from tierkeeper.base.content import StoredForm
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState, PlacementState, Vouched
from tierkeeper.catalog import artifacts, blobs, dedup_scopes, events, holds, json_values, placements, schedule
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.rows import ArtifactRow, NewCopy
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import fates, opener
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.record import record
from tierkeeper.stores import layout
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreError, ThawNeeded
from tierkeeper.values.artifacts import Ref
from tierkeeper_client.identifiers import check_name, check_segment

_log = log.get(__name__)

HOLD = "rebuilt"


class Adoption(StrEnum):
    """What becomes of one object."""

    ARTIFACT = "artifacts found only in the stores"
    COPY = "copies taken over"
    LEFTOVER = "left over from what was purged or collected"
    DAMAGED = "damaged, not taken over"
    UNKNOWN = "do not say what they are"
    UNREAD = "could not be read"
    GONE = "gone meanwhile"


@dataclass(frozen=True, slots=True)
class Object:
    """One object in a tier that no placement knows."""

    tier: str
    location: str
    version: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """One object and what became of it, or would in a dry run."""

    object: Object
    what: Adoption
    ref: Ref | None = None


def adopt(
    engine: Engine, objects: Sequence[Object], *, caller: Caller, run: UUID | None, dry_run: bool
) -> list[Adopted]:
    """Adopt these objects where possible; a dry run reads no bytes and returns what would be adopted."""
    ends = _ends(engine.catalog, objects)
    candidates = [each for each in objects if layout.placement_of(each.location) not in ends]
    look = functools.partial(_described, engine, read=not dry_run)
    done = [Adopted(each, Adoption.LEFTOVER) for each in objects if layout.placement_of(each.location) in ends]
    aside = []
    answers = engine.in_parallel(look, candidates)
    away = engine.refused(one.tier for one in candidates)
    for one, answer in zip(candidates, answers, strict=True):
        found = Adoption.UNREAD if one.tier in away else answer
        if isinstance(found, Adoption):
            done.append(Adopted(one, found))
            if found in {Adoption.UNKNOWN, Adoption.DAMAGED}:
                aside.append(one)
            continue
        if dry_run:
            with engine.catalog.rehearsing() as connection:
                done.append(_take(connection, engine=engine, one=one, found=found, caller=caller, run=run))
            continue
        try:
            done.append(engine.catalog.run(caller, _take, engine=engine, one=one, found=found, caller=caller, run=run))
        except sa.exc.DataError:  # its description does not fit a row; the other objects are not affected
            _log.exception("an object cannot be taken over", tier=one.tier, location=one.location)
            done.append(Adopted(one, Adoption.UNKNOWN))
            aside.append(one)
    if aside and not dry_run:
        engine.catalog.run(caller, note, objects=aside, event=BytesLeftAside, caller=caller, run=run)
    return done


def counted(done: Sequence[Adopted]) -> Counter[str]:
    """Return how many objects had each outcome."""
    return Counter(one.what.value for one in done)


def _ends(catalog: Database, objects: Sequence[Object]) -> dict[UUID, events.End]:
    ids = {placement for one in objects if (placement := layout.placement_of(one.location)) is not None}
    with catalog.reading() as connection:
        return events.ends_of(connection, ids)


def note(
    connection: sa.Connection,
    *,
    objects: Sequence[Object],
    event: type[BytesLeftOver] | type[BytesLeftAside],
    caller: Caller,
    run: UUID | None,
) -> None:
    """Write an event for each object that stays without a placement, unless it has one: the catalog knows it then."""
    ids = {one: layout.placement_of(one.location) for one in objects}
    noted = events.ends_of(connection, {id_ for id_ in ids.values() if id_ is not None})
    lines = [
        events.Line(
            subject=id_,
            revision=1,
            payload=event(before=LooseBytes(tier=one.tier, location=one.location, size=one.size)),
            actor=caller.actor,
            run=run,
        )
        for one, id_ in ids.items()
        if id_ is not None and id_ not in noted
    ]
    events.append(connection, lines, at=catalog_now(connection))


@dataclass(frozen=True, slots=True)
class Described:
    """An object's description, what vouches for its bytes (None where they were not read), and their pin."""

    info: ObjectInfo
    vouched: Vouched | None
    pin: str | None = None


def _described(engine: Engine, one: Object, *, read: bool) -> Described | Adoption:
    """Return the object's description, verified byte by byte if ``read``, or why it cannot be adopted.

    A damaged object is checked twice: a store may err once, and an object left aside is not considered again.
    """
    first = _describe(engine, one, read=read)
    return _describe(engine, one, read=read) if first is Adoption.DAMAGED else first


def _describe(engine: Engine, one: Object, *, read: bool) -> Described | Adoption:
    try:
        store = engine.store(one.tier)
        info = store.describe(ObjectKey(one.location, one.version))
        if info is None or not _is_ours(store, info, one.location):
            return Adoption.UNKNOWN
        if info.size != one.size:
            return Adoption.DAMAGED
        vouched, pin = _vouched(engine, one, info) if read else (None, None)
    except ObjectNotFound:
        return Adoption.GONE
    except ContentMismatch:
        return Adoption.DAMAGED
    except StoreError:
        return Adoption.UNREAD
    return Described(info, vouched, pin) if vouched is not None or not read else Adoption.DAMAGED


def _vouched(engine: Engine, one: Object, info: ObjectInfo) -> tuple[Vouched | None, str | None]:
    """Return what vouches for the object's bytes, and the pin that names them; None twice where the bytes are wrong.

    The object is read whole. In a class that must be thawed first the store's own checksum is compared instead; raises
    ThawNeeded where the store has none, or another.
    """
    store, form = engine.store(one.tier), StoredForm(one.location, one.version)
    try:
        read = opener.read(store, form)
    except ThawNeeded:
        head = store.head(opener.key_of(form))
        if head.sha256 == info.sha256:
            return Vouched.SERVER, one.version or head.pin
        raise
    wrong = info.content.difference(sha256=read.sha256)
    return (None, None) if wrong else (Vouched.READ, one.version or read.pin)


def _is_ours(store: Store, info: ObjectInfo, location: str) -> bool:
    """Return True if the description is well-formed, as rows are made of it, and the store puts such a copy there."""
    try:
        check_segment(info.tenant, field="tenant")
        check_segment(info.workflow, field="workflow")
        check_name(info.name)
    except TierkeeperError:
        return False
    return info.version >= 1 and layout.fits(store, info, location)


def _take(
    connection: sa.Connection, *, engine: Engine, one: Object, found: Described, caller: Caller, run: UUID | None
) -> Adopted:
    """Insert the rows of one object, taking locks in their fixed order."""
    info = found.info
    scope = dedup_scopes.scopes(connection, [info.tenant])[info.tenant]
    blob = blobs.take(connection, [(scope, info.sha256, info.size)])[scope, info.sha256]
    name = (info.tenant, info.workflow, info.name)
    head = artifacts.take_names(connection, [name])[name]
    ref = Ref(*name, info.version)
    known = artifacts.by_ref(connection, ref)
    if placements.load(connection, [info.placement]):
        return Adopted(one, Adoption.GONE, ref)  # another run adopted it first
    if known is not None and known.sha256 == info.sha256:
        needing = known if known.counted else _sharing(connection, blob)
        if needing is None:
            blobs.drop_unused(connection, [blob])
            note(connection, objects=[one], event=BytesLeftOver, caller=caller, run=run)
            return Adopted(one, Adoption.LEFTOVER, ref)
        (row,) = artifacts.lock(connection, [needing.id])
        schedule.lock(connection, [needing.id])
        now = catalog_now(connection)
        _place(connection, engine, one, found, blob, owner=known.id, now=now)
        _tell_of_copy(connection, row, one, now=now, caller=caller, run=run)
        return Adopted(one, Adoption.COPY, row.ref)
    moment = Moment.read(connection, engine)
    now = moment.now
    version = info.version if known is None else head.latest + 1  # two catalogs assigned the same version
    row = _new(moment, one, info, blob=blob, name=head.id, version=version)
    artifacts.set_latest(connection, {head.id: max(head.latest, version)})
    artifacts.insert(connection, [row])
    reason = f"found only in tier {one.tier} when the catalog was rebuilt"
    holds.place(connection, row.id, HOLD, by=caller.actor, reason=reason, now=now)
    schedule.put(connection, [schedule.Coming(row.id, row.tenant, now, "converge")])
    _place(connection, engine, one, found, blob, owner=row.id, now=now)
    after = ReturnedArtifact(state=row.state, tier=one.tier, location=one.location, holds=row.holds, size=row.size)
    line = events.of_artifact(row, ArtifactRebuilt(after=after), revision=1, now=now, actor=caller.actor, run=run)
    events.append(connection, [line], at=now)
    return Adopted(one, Adoption.ARTIFACT, row.ref)


def _sharing(connection: sa.Connection, blob: UUID) -> ArtifactRow | None:
    """Return an artifact that still needs the content, under any name; None if there is none."""
    some = artifacts.some_counted(connection, [blob], limit=1)
    return next(iter(artifacts.load(connection, [artifact for artifact, _ in some])), None)


def _place(
    connection: sa.Connection,
    engine: Engine,
    one: Object,
    found: Described,
    blob: UUID,
    *,
    owner: UUID,
    now: datetime,
) -> None:
    """Insert the copy's row: present, or doomed where the tier has a good present copy; a bad one is doomed instead."""
    info = found.info
    copies = placements.of_blobs(connection, [blob])[blob]
    occupied = [copy for copy in copies if copy.tier == one.tier and copy.state is PlacementState.PRESENT]
    better = any(fates.good(copy) for copy in occupied)
    if occupied and not better:
        placements.doom(connection, [copy.id for copy in occupied], now=now, delete_after=now + engine.grace)
    placements.add_present(
        connection,
        NewCopy(
            id=info.placement,
            blob_id=blob,
            artifact_id=owner if engine.store(one.tier).readable_layout else None,
            tier=one.tier,
            location=one.location,
            state=PlacementState.DOOMED if better else PlacementState.PRESENT,
            store_version=one.version,
            stored_size=one.size,
            stored_sha256=info.sha256,
            placed_by="found in the store",
            made_at=now,
            vouched=found.vouched,
            pin=found.pin,
            verified_at=now,
            doomed_at=now if better else None,
            delete_after=now + engine.grace if better else None,
        ),
    )


def _tell_of_copy(
    connection: sa.Connection, row: ArtifactRow, one: Object, *, now: datetime, caller: Caller, run: UUID | None
) -> None:
    payload = Placed(after=TakenOver(found=one.tier, location=one.location))
    record(connection, [row], payload, now=now, caller=caller, run=run)
    schedule.put(connection, [schedule.Coming(row.id, row.tenant, now, "converge")])


def _new(moment: Moment, one: Object, info: ObjectInfo, *, blob: UUID, name: UUID, version: int) -> ArtifactRow:
    row = ArtifactRow(
        id=new_id(),
        name_id=name,
        tenant=info.tenant,
        workflow=info.workflow,
        name=info.name,
        version=version,
        blob_id=blob,
        sha256=info.sha256,
        size=info.size,
        content_type=info.content_type,
        metadata=json_values.shallow(info.metadata),
        tags={},
        # a time outside the gate tells no age: it begins now, which lets no retention and no phase end early
        created_at=min(info.created, moment.now) if not isinstance(info.created, Outside) else moment.now,
        stored_at=moment.now,
        accessed_at=None,
        policy_id=None,
        state=ArtifactState.LIVE,
        wanted=frozenset({one.tier}),
        holds=(HOLD,),
    )
    policy = moment.policies.governing(row.subject)
    row.policy_id = policy.id
    if policy.retention is not None:
        row.retain_until = moment.retained_until(row)
        row.retain_mode = policy.retention.mode.value
    return row
