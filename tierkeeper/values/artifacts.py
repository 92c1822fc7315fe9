"""Values of artifacts: references, filters, results of stores and verbs, views and explanations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID

from tierkeeper.base.states import ArtifactState, CopyStanding, Outcome, PlacementState, Vouched
from tierkeeper.values.events import EventsCut, EventView
from tierkeeper.values.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Ref:
    """An artifact by name; ``version`` None is the latest."""

    tenant: str
    workflow: str
    name: str
    version: int | None = None

    def __str__(self) -> str:
        version = "" if self.version is None else f"@{self.version}"
        return f"{self.tenant}/{self.workflow}/{self.name}{version}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that select artifacts; all given ones must hold. Patterns are shell globs."""

    tenant: str | None = None
    workflow: str | None = None
    name: str | None = None
    prefix: str | None = None  # literal beginning of the name
    tier: str | None = None  # has a present copy there
    state: ArtifactState | None = ArtifactState.LIVE
    tags: Mapping[str, str] = field(default_factory=dict)
    older_than: timedelta | None = None
    all_versions: bool = False
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The outcome of one store. ``outcome`` is stored, unchanged (no new version) or deduplicated (no bytes sent)."""

    ref: Ref
    artifact: UUID
    sha256: str
    size: int
    tiers: tuple[str, ...]
    outcome: str


@dataclass(frozen=True, slots=True)
class ItemError:
    """One failed item of a batch: its error as :meth:`~tierkeeper.base.errors.TierkeeperError.as_dict` gives it."""

    ref: Ref
    error: Mapping[str, Any]


ItemResult = StoreResult | ItemError

#: opens the content of one item of a batch, which closes it; an OSError, then or while it is read, is the item's error
ContentOpening = Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class VerbResult:
    """The outcome of promote, archive, restore, purge or undelete for one artifact.

    ``present`` are the tiers with a verified copy now; the next sweep makes the copies in ``wanted`` that are missing.
    """

    ref: Ref
    artifact: UUID
    outcome: Outcome
    state: ArtifactState
    wanted: tuple[str, ...]
    present: tuple[str, ...]
    detail: str
    purge_at: datetime | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PlacementView(CopyStanding):
    """One copy, as users see it."""

    tier: str
    state: PlacementState
    location: str
    stored_size: int | None
    since: datetime
    delete_after: datetime | None = None
    locked_until: datetime | None = None
    damaged_at: datetime | None = None
    vouched: Vouched | None = None
    missed_at: datetime | None = None  # when it was not found: it is a suspect
    looked_for_after: datetime | None = None
    refusal: Refusal | None = None  # why its store does not delete it

    @property
    def in_doubt(self) -> bool:
        """True if the copy is present and undamaged, but not vouched for: it is read before it counts."""
        return self.state is PlacementState.PRESENT and self.vouched is None and self.damaged_at is None


@dataclass(frozen=True, slots=True)
class FailureView:
    """The last try of an artifact's ``step``: the error's code, tier and words; ``tries`` failed in a row."""

    step: str
    code: str
    tier: str | None
    words: str
    at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class ArtifactView:
    """One artifact with its copies and its next step."""

    id: UUID
    ref: Ref
    state: ArtifactState
    size: int
    sha256: str
    content_type: str
    metadata: Mapping[str, Any]
    tags: Mapping[str, str]
    created_at: datetime
    stored_at: datetime
    accessed_at: datetime | None
    policy: str | None  # "reports v3"
    wanted: tuple[str, ...]
    placements: tuple[PlacementView, ...]
    purge_at: datetime | None
    purged_at: datetime | None
    retain_until: datetime | None
    due_at: datetime | None
    next_step: str | None
    parked_reason: str | None
    failure: FailureView | None = None  # unless parked, its step is tried again at ``due_at``, or ``next_step`` is due
    braked_by: UUID | None = None  # the run that awaits an approval of the next step
    events_cut: EventsCut | None = None  # of one artifact that is shown, not of lists

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers with a present copy that is not known to be damaged."""
        return tuple(p.tier for p in self.placements if p.state is PlacementState.PRESENT and p.damaged_at is None)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an artifact is where it is, its next step, when that is due and what blocks it; or how the artifact ended."""

    artifact: ArtifactView
    rule: str  # the deciding rule and policy version
    reason: str
    placed_by: Mapping[str, str]  # tier: the rule and policy version that put the copy there
    blocked: tuple[str, ...]
    next_step: str | None
    next_at: datetime | None
    history: tuple[EventView, ...]
