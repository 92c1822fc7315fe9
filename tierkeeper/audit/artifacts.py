"""Events whose subject is an artifact."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.payload import ABSENT, Payload, Side
from tierkeeper.base.states import ArtifactState, Vouched


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPayload(Payload):
    """An event of an artifact, at the revision that the artifact gets with it."""

    kind: ClassVar[SubjectKind] = SubjectKind.ARTIFACT


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactStanding(Side):
    """An artifact's state and the tiers in which it is wanted."""

    state: ArtifactState
    wanted: AbstractSet[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival(ArtifactStanding):
    """A new version: the tiers that have a copy already, and its size in bytes."""

    present: AbstractSet[str]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedStanding(ArtifactStanding):
    """An artifact with the tiers of its copies, before or after a commit. ``approved``: the run that allowed it."""

    present: AbstractSet[str]
    retain_until: datetime | None = field(default=None, metadata=ABSENT)
    approved: UUID | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedStanding(ArtifactStanding):
    """An artifact after a verb, and the reason that the verb's caller gave."""

    reason: str | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverriddenStanding(AskedStanding):
    """An artifact after a verb with an override; ``until`` is the override's end, null for good."""

    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeletedStanding(AskedStanding):
    """An artifact after an undelete; before ``not_before`` no policy deletes it."""

    not_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedStanding(AskedStanding):
    """An artifact after a delete; ``purge_at`` is the end of the undo window."""

    purge_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlace(Side):
    """The tier and location of a copy."""

    tier: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkReason(Side):
    """The reason why an artifact was parked."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MendedRow(Side):
    """The columns that could not be read, and why an operator mended them."""

    columns: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution(Side):
    """The effect of an operator's decision, in words."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionStored(ArtifactPayload):
    """A version came to be."""

    type: ClassVar[EventType] = EventType.STORED
    after: Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(ArtifactPayload):
    """The verb `promote` changed what is wanted."""

    type: ClassVar[EventType] = EventType.PROMOTED
    before: ArtifactStanding
    after: OverriddenStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived(ArtifactPayload):
    """The verb `archive` changed what is wanted."""

    type: ClassVar[EventType] = EventType.ARCHIVED
    before: ArtifactStanding
    after: AskedStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(ArtifactPayload):
    """The verb `restore` changed what is wanted."""

    type: ClassVar[EventType] = EventType.RESTORED
    before: ArtifactStanding
    after: OverriddenStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeleted(ArtifactPayload):
    """The verb `undelete` made it live again."""

    type: ClassVar[EventType] = EventType.UNDELETED
    before: ArtifactStanding
    after: UndeletedStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted(ArtifactPayload):
    """It was deleted by the verb `purge`, by a purge phase, or as a surplus version."""

    type: ClassVar[EventType] = EventType.DELETED
    before: ArtifactStanding | CommittedStanding
    after: DeletedStanding | CommittedStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(ArtifactPayload):
    """Its wanted tiers changed, in a commit of converge."""

    type: ClassVar[EventType] = EventType.MOVED
    before: CommittedStanding
    after: CommittedStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver(Side):
    """A copy that was found in a store: its tier, and where it lies there."""

    found: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed(ArtifactPayload):
    """Its copies changed, its wanted tiers did not."""

    type: ClassVar[EventType] = EventType.PLACED
    before: CommittedStanding | None = None
    after: CommittedStanding | TakenOver


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained(ArtifactPayload):
    """Its retention became longer, and nothing else changed."""

    type: ClassVar[EventType] = EventType.RETAINED
    before: CommittedStanding
    after: CommittedStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged(ArtifactPayload):
    """The undo window is over: wanted nowhere, irrevocably."""

    type: ClassVar[EventType] = EventType.PURGED
    before: CommittedStanding
    after: CommittedStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Side):
    """The receipt for destroyed content: SHA-256, size in bytes, and when it was destroyed."""

    sha256: bytes
    size: int
    destroyed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed(ArtifactPayload):
    """The last copy of a purged artifact's content is gone: the receipt, with SHA-256 and size."""

    type: ClassVar[EventType] = EventType.DESTROYED
    after: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedCopy(Side):
    """A copy that a first look did not find; ``copies_left`` counts the other readable copies."""

    reason: str
    copies_left: int
    looked_for_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyNotFound(ArtifactPayload):
    """A copy in a bucket was [not found](catalog.md#what-was-not-found), for the first time.

    It is looked for again after `looked_for_after`.
    """

    type: ClassVar[EventType] = EventType.NOT_FOUND
    before: CopyPlace
    after: MissedCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFoundAgain(ArtifactPayload):
    """Such a copy is where it should be."""

    type: ClassVar[EventType] = EventType.FOUND_AGAIN
    after: CopyPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedCopy(Side):
    """The damage of a copy, the number of readable copies left, and the tiers whose copies lose their vouching."""

    reason: str
    copies_left: int
    unvouched: AbstractSet[str] | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyDamaged(ArtifactPayload):
    """A read, `verify`, converge (each in two answers of the store) or `reconcile` found a copy missing or changed.

    `copies_left` 0: the content cannot be read any more. `unvouched`: tiers whose copies a server may have made from
    it, which count for nothing until they are read.
    """

    type: ClassVar[EventType] = EventType.DAMAGED
    before: CopyPlace
    after: DamagedCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyHealed(ArtifactPayload):
    """`reconcile` or `verify` read a damaged copy again, present or doomed, and it was right."""

    type: ClassVar[EventType] = EventType.HEALED
    after: CopyPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCopy(CopyPlace):
    """The tier and location of a copy, and the former pin of its bytes."""

    pin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamedCopy(Side):
    """The present pin of a copy's bytes, and why they are vouched for."""

    pin: str | None
    vouched: Vouched


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRepinned(ArtifactPayload):
    """A copy's bytes are right, but the store names them otherwise than the catalog did, or no longer.

    Another tool moved the bucket, or its ETags are weak. The bytes were read whole, or in an archive class judged by
    the server's SHA-256 (`vouched` says which), and named anew, or not at all.
    """

    type: ClassVar[EventType] = EventType.REPINNED
    before: NamedCopy
    after: RenamedCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedUntil(Side):
    """The time before which no policy deletes the artifact, and the reason."""

    not_before: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned(ArtifactPayload):
    """An operator rejected a run that was to delete it: no policy does before `not_before`."""

    type: ClassVar[EventType] = EventType.PINNED
    after: PinnedUntil


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactParked(ArtifactPayload):
    """It was taken out of the sweeps, with the reason."""

    type: ClassVar[EventType] = EventType.PARKED
    after: ParkReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRetried(ArtifactPayload):
    """An operator made a parked one due again."""

    type: ClassVar[EventType] = EventType.RETRIED
    after: Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactMended(ArtifactPayload):
    """An operator brought a row that could not be read within what the catalog takes."""

    type: ClassVar[EventType] = EventType.MENDED
    after: MendedRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSkipped(ArtifactPayload):
    """An operator left the step out that a parked one did not get done."""

    type: ClassVar[EventType] = EventType.SKIPPED
    after: Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedArtifact(Side):
    """A rebuilt artifact: where its copy was found, the holds on it, its size in bytes."""

    state: ArtifactState
    tier: str
    location: str
    holds: Sequence[str]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRebuilt(ArtifactPayload):
    """It was found only in the stores, and came back under a hold."""

    type: ClassVar[EventType] = EventType.REBUILT
    after: ReturnedArtifact


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldNames(Side):
    """The names of the holds on an artifact."""

    holds: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedHold(Side):
    """The released hold, and the reason."""

    hold: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased(ArtifactPayload):
    """Somebody approved what a rebuild brought back."""

    type: ClassVar[EventType] = EventType.HOLD_RELEASED
    before: HoldNames
    after: ReleasedHold
