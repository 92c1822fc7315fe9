"""Events whose subject is one copy, or bytes that no placement knows."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.payload import Payload, Side
from tierkeeper.base.states import PlacementState


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementPayload(Payload):
    """An event whose subject is a placement; a placement has only one, at its end."""

    kind: ClassVar[SubjectKind] = SubjectKind.PLACEMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class DoomedCopy(Side):
    """A copy when it was marked for deletion: its state, and since when it was doomed (null: a stale intent)."""

    tier: str
    location: str
    state: PlacementState
    doomed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCollected(PlacementPayload):
    """One doomed copy, or a stale intent, was physically deleted."""

    type: ClassVar[EventType] = EventType.COLLECTED
    before: DoomedCopy


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseBytes(Side):
    """Bytes without a placement: tier, location, and size in bytes (0: not checked)."""

    tier: str
    location: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesLeftOver(PlacementPayload):
    """A rebuild or an accepted restore found bytes of what was purged, or dropped an intent whose bytes may come."""

    type: ClassVar[EventType] = EventType.LEFT_OVER
    before: LooseBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesLeftAside(PlacementPayload):
    """A rebuild or an accepted restore found bytes that are not what they say."""

    type: ClassVar[EventType] = EventType.LEFT_ASIDE
    before: LooseBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanBytes(Side):
    """Bytes without a placement: tier, location, version, size in bytes, and when reconcile first saw them."""

    tier: str
    location: str
    version: str | None
    size: int | None
    first_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanDeleted(Payload):
    """`reconcile` deleted bytes that no placement knows; nothing else has its subject."""

    kind: ClassVar[SubjectKind] = SubjectKind.ORPHAN
    type: ClassVar[EventType] = EventType.ORPHAN_DELETED
    before: OrphanBytes
