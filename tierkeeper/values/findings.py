"""What reconcile takes note of and returns: where the catalog and the stores differ, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from tierkeeper.base.states import RunState
from tierkeeper.values.artifacts import Ref


class FindingKind(StrEnum):
    """How the catalog and a store differ."""

    ORPHAN = "orphan"  # bytes that no placement knows any more
    STRANGER = "stranger"  # bytes that this catalog never knew of: it may be an older copy of itself; never deleted
    MISSING = "missing"  # a placement without its bytes
    MISMATCHED = "mismatched"  # another size or checksum than the placement's
    FOREIGN = "foreign"  # bytes whose location is none of tierkeeper's; never deleted


class FindingAction(StrEnum):
    """What is done about one finding; in a dry run, what would be."""

    QUARANTINE = "quarantine"  # seen, or missed in a store that is called, for the first time, or not long enough ago
    DELETE = "delete"  # an orphan that was seen before, long enough ago
    REPAIR = "repair"  # from another tier, by the next turn
    FOUND = "found again"  # a copy that was not found before is where it should be
    HEAL = "heal"  # a copy that was called damaged was read just now, and its bytes are right
    NONE = "none"  # nothing can or may be done


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. ``lost``: no readable copy of the content is left anywhere."""

    tier: str
    location: str
    version: str | None
    kind: FindingKind
    action: FindingAction
    reason: str
    size: int | None = None
    ref: Ref | None = None  # an artifact with this content
    lost: bool = False


@dataclass(frozen=True, slots=True)
class TierFindings:
    """One tier: how much was listed and known, and what was found; ``away`` says why it could not be looked at."""

    tier: str
    listed: int = 0
    known: int = 0
    found: Mapping[FindingKind, int] = field(default_factory=dict)
    known_damaged: int = 0
    lost: int = 0
    unanswered: int = 0  # objects about which the store gave no answer; the next reconcile asks again
    away: str | None = None

    @property
    def differences(self) -> int:
        """How much would be repaired or deleted because of this tier: what the brake counts."""
        left_alone = {FindingKind.FOREIGN, FindingKind.STRANGER}
        return sum(count for kind, count in self.found.items() if kind not in left_alone)


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """What one reconcile found and did. ``held_back`` says why it did nothing, or less than it found to do."""

    run: UUID | None
    state: RunState
    tiers: tuple[TierFindings, ...]
    counts: Mapping[str, int]
    errors: int
    held_back: str | None = None
    findings: tuple[Finding, ...] = ()  # the first of them; ``found`` was told each

    @property
    def lost(self) -> int:
        """How many copies were found without which their content cannot be read any more."""
        return sum(tier.lost for tier in self.tiers)


@dataclass(frozen=True, slots=True)
class ReconcileLimits:
    """When an orphan may go, and when a reconcile stops itself."""

    quarantine: timedelta
    stop_share: float
    stop_floor: int

    def of(self, tier: TierFindings) -> int:
        """Return how many differences are still taken for real, in a tier of this size."""
        return max(self.stop_floor, int(self.stop_share * max(tier.listed, tier.known)))
