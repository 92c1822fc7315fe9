"""What the keeper takes and returns: frozen values, JSON-ready through :func:`plain`."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from tierkeeper.base.states import ArtifactState, Outcome, PlacementState, RunKind, RunState, Vouched


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
    """Selects artifacts; patterns are shell globs; every condition given must hold."""

    tenant: str | None = None
    workflow: str | None = None
    name: str | None = None
    prefix: str | None = None  # of the name
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
    """One item of a batch that failed: its error as :meth:`TierkeeperError.as_dict` gives it."""

    ref: Ref
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VerbResult:
    """The outcome of promote, archive, restore, purge or undelete for one artifact.

    ``present`` is where verified copies are now; where it lacks a tier of ``wanted`` the sweep goes on.
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
class PlacementView:
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
    missed_at: datetime | None = None  # it was not found then: a suspect
    looked_for_after: datetime | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether nobody vouches for its bytes, though they were committed: they will be read."""
        kept = self.state in {PlacementState.PRESENT, PlacementState.DOOMED}
        return kept and self.vouched is None and self.damaged_at is None

    @property
    def suspect(self) -> bool:
        """Whether it was not found where it should be, and is looked for again: it does not count until then."""
        return self.missed_at is not None and self.damaged_at is None


@dataclass(frozen=True, slots=True)
class ArtifactView:
    """One artifact with its copies and what is next."""

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

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers with a present copy that is not known to be damaged."""
        return tuple(p.tier for p in self.placements if p.state is PlacementState.PRESENT and p.damaged_at is None)


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of the audit log."""

    subject: UUID
    revision: int
    at: datetime
    type: str
    tenant: str | None
    workflow: str | None
    name: str | None
    version: int | None
    actor: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    policy: str | None
    run: UUID | None
    correlation: str | None
    age_days: float | None
    position: str | None = None  # in the order of events; None until every earlier transaction has ended


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an artifact is where it is, what blocks its next step, what comes and when; or how it ended."""

    artifact: ArtifactView
    rule: str  # the rule and policy version that decide now
    reason: str
    placed_by: Mapping[str, str]  # tier: the rule and policy version that put the copy there
    blocked: tuple[str, ...]
    next_step: str | None
    next_at: datetime | None
    history: tuple[EventView, ...]


@dataclass(frozen=True, slots=True)
class TierStats:
    """One tier's copies, present and doomed apart; bytes as stored.

    Of the present ones ``unvouched`` do not count yet, and ``missed`` were not found once.
    """

    tier: str
    temperature: str
    present: int
    present_bytes: int
    doomed: int
    doomed_bytes: int
    tenants: int
    unvouched: int
    missed: int


@dataclass(frozen=True, slots=True)
class RunView:
    """One run: what, when, counts, result."""

    id: UUID
    kind: RunKind
    state: RunState
    dry: bool
    tenant: str | None
    counts: Mapping[str, int]
    bytes: int
    errors: int
    started_at: datetime
    finished_at: datetime | None
    actor: str
    reason: str = ""  # why it awaits an approval
    arguments: Mapping[str, Any] = field(default_factory=dict)
    approval: Mapping[str, Any] | None = None  # who decided what, when and why


@dataclass(frozen=True, slots=True)
class PlanItem:
    """What a run would do to one artifact, and why."""

    ref: Ref
    artifact: UUID
    action: str  # move | delete | destroy | keep
    source: tuple[str, ...]
    target: tuple[str, ...]
    rule: str
    reason: str
    due_at: datetime
    size: int
    age_days: float
    blocked: tuple[str, ...] = ()
    policy: str = ""  # what governs it then: "reports v3"
    revision: int = 0  # of the artifact


@dataclass(frozen=True, slots=True)
class PlanView:
    """A stored plan."""

    id: UUID
    as_of: datetime
    by: str
    made_at: datetime
    expires_at: datetime
    arguments: Mapping[str, Any]
    summary: Mapping[str, Any]
    applied_by: UUID | None  # the run


@dataclass(frozen=True, slots=True)
class AppliedItem:
    """What the apply of a plan did to one item, or why it left it."""

    ref: Ref
    artifact: UUID
    action: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class DeletesView:
    """Whether anything may be deleted physically; who said so, when and why."""

    enabled: bool
    by: str
    reason: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What applying a policy changes: ``new``, ``changed``, ``unchanged`` or ``removed``; live artifacts it fits."""

    name: str
    version: int
    change: str
    matched: int
    diff: str


@dataclass(frozen=True, slots=True)
class PolicyView:
    """One version of a policy, as users see it."""

    name: str
    version: int
    active_from: datetime
    removed_at: datetime | None
    built_in: bool
    document: Mapping[str, Any]
    yaml: str


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What one call of a sweep did; ``counts`` as in its run, such as ``moved to warm: 12``."""

    counts: Mapping[str, int]
    bytes: int
    errors: int
    more: bool  # something due is left, because the time was up
    failures: tuple[ItemError, ...] = ()


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911  it maps any value to its JSON form, a line a kind
    """Return ``value`` with dataclasses, enums, UUIDs, times and bytes as JSON-ready values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [plain(v) for v in items]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID):
        return str(value)
    return value
