"""Results of reconcile: the differences between the catalog and the stores, and the action taken for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from tierkeeper.base.states import RunState
from tierkeeper.values.artifacts import Ref
from tierkeeper.values.refusals import Reason


class FindingKind(StrEnum):
    """How the catalog and a store differ."""

    ORPHAN = "orphan"  # bytes that no placement knows any more
    STRANGER = "stranger"  # bytes that this catalog never knew: it may be an old copy restored; never deleted
    MISSING = "missing"  # a placement without its bytes
    MISMATCHED = "mismatched"  # another size or checksum than the placement's
    FOREIGN = "foreign"  # bytes whose location is none of tierkeeper's; never deleted


class FindingAction(StrEnum):
    """The action taken for one finding; in a dry run, the one that would be."""

    QUARANTINE = "quarantine"  # seen (or missed, in a store reached by calls) for the first time or too recently
    DELETE = "delete"  # an orphan first seen long enough ago
    REPAIR = "repair"  # from another tier, by the next turn
    FOUND = "found again"  # a suspect copy is at its location
    HEAL = "heal"  # a damaged copy was read again, and its bytes are right
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
    """The counts of one tier: objects listed, copies known, findings by kind; ``away``: why it was not compared."""

    tier: str
    listed: int = 0
    known: int = 0
    found: Mapping[FindingKind, int] = field(default_factory=dict)
    known_damaged: int = 0
    lost: int = 0
    unanswered: int = 0  # objects the store did not answer for; the next reconcile checks them again
    away: str | None = None
    refused: Reason | None = None  # why it was not compared, or why the store did not answer for an object

    @property
    def differences(self) -> int:
        """The number of findings that lead to a repair or a deletion; compared with :meth:`ReconcileLimits.of`."""
        left_alone = {FindingKind.FOREIGN, FindingKind.STRANGER}
        return sum(count for kind, count in self.found.items() if kind not in left_alone)


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """The findings and actions of one reconcile. ``held_back``: why it acted on none of the findings, or not on all."""

    run: UUID | None
    state: RunState
    tiers: tuple[TierFindings, ...]
    counts: Mapping[str, int]
    errors: int
    held_back: str | None = None
    findings: tuple[Finding, ...] = ()  # the first ones; the callback ``found`` received all

    @property
    def lost(self) -> int:
        """The number of missing or changed copies that leave their content unreadable."""
        return sum(tier.lost for tier in self.tiers)


@dataclass(frozen=True, slots=True)
class ReconcileLimits:
    """The age at which an orphan may be deleted, and the limit at which a reconcile stops itself."""

    quarantine: timedelta
    stop_share: float
    stop_floor: int

    def of(self, tier: TierFindings) -> int:
        """Return the most differences that are believed in a tier of this size; above, the reconcile stops itself."""
        return max(self.stop_floor, int(self.stop_share * max(tier.listed, tier.known)))
