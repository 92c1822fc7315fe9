"""Events about the catalog as a whole: its switch, its epoch, its tiers and its policies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.payload import Payload, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletesSwitch(Side):
    """The state of the switch for deletes, and the reason."""

    enabled: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletesSwitched(Payload):
    """`tierkeeper deletes off` or `on`."""

    kind: ClassVar[SubjectKind] = SubjectKind.SWITCH
    type: ClassVar[EventType] = EventType.DELETES_SWITCHED
    before: DeletesSwitch
    after: DeletesSwitch


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogPayload(Payload):
    """An event of the catalog itself."""

    kind: ClassVar[SubjectKind] = SubjectKind.CATALOG


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedEpoch(Side):
    """The new epoch, a number that only grows, and the reason for raising it."""

    epoch: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRaised(CatalogPayload):
    """By a reconcile, a dump, a rebuild or an accepted restore."""

    type: ClassVar[EventType] = EventType.EPOCH_RAISED
    after: RaisedEpoch


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearedTimes(Side):
    """How many times lay in the future and were cleared, by table and column, and the reason."""

    columns: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesCleared(CatalogPayload):
    """`tierkeeper doctor --mend-times`, where a clock was ahead when they were written."""

    type: ClassVar[EventType] = EventType.TIMES_CLEARED
    after: ClearedTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTrust(Side):
    """The trust in the catalog (`trusted`, `restored`, `rebuilding`), and the reason."""

    trust: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPayload(CatalogPayload):
    """An event that changes the trust in the catalog."""

    after: CatalogTrust


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRecognised(TrustPayload):
    """It may be an older copy of itself."""

    type: ClassVar[EventType] = EventType.RESTORE_RECOGNISED


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreAccepted(TrustPayload):
    """Somebody goes on with it."""

    type: ClassVar[EventType] = EventType.RESTORE_ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildBegun(TrustPayload):
    """It was loaded from a dump, or begun from the objects alone."""

    type: ClassVar[EventType] = EventType.REBUILD_BEGUN


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRebuilt(TrustPayload):
    """It was rebuilt, and agrees with the stores."""

    type: ClassVar[EventType] = EventType.REBUILT


@dataclass(frozen=True, slots=True, kw_only=True)
class TierMarking(Side):
    """A tier and the mark in its place (:mod:`tierkeeper.stores.tier_mark`); null: no readable mark was there."""

    tier: str
    mark: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedTier(TierMarking):
    """A tier after an adoption, the reason, and whether none of the known copies was seen there."""

    reason: str
    lost: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TierAdopted(CatalogPayload):
    """`tierkeeper init --adopt` took a tier's place over, with the mark before and after, and the reason."""

    type: ClassVar[EventType] = EventType.TIER_ADOPTED
    before: TierMarking
    after: AdoptedTier


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachedEvents(Side):
    """A month of events, how many they were, and the file that has them: its place, on which host, and its SHA-256."""

    month: str
    events: int
    file: str
    host: str
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthDetached(CatalogPayload):
    """`tierkeeper events detach`: the events of a month are in a file, and no longer in the catalog."""

    type: ClassVar[EventType] = EventType.MONTH_DETACHED
    after: DetachedEvents


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPayload(Payload):
    """An event of one version of a policy; its side is the policy's document."""

    kind: ClassVar[SubjectKind] = SubjectKind.POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyApplied(PolicyPayload):
    """A version began to govern."""

    type: ClassVar[EventType] = EventType.POLICY_APPLIED
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRemoved(PolicyPayload):
    """A version ended, and none follows it."""

    type: ClassVar[EventType] = EventType.POLICY_REMOVED
    before: Mapping[str, Any]
