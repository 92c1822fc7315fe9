"""A policy, as a value: what it matches and what it wants at each age."""

from dataclasses import dataclass, field
from uuid import UUID

from tierkeeper.base.states import RetentionMode, WriteStrategy
from tierkeeper.policy.durations import Duration

CREATED = "created"
ACCESSED = "accessed"
METADATA_PREFIX = "metadata:"
_MILLION = 1_000_000  # shares are counted in millionths, so that a limit is exact


@dataclass(frozen=True, slots=True)
class Match:
    """Which artifacts a policy is for; None and empty match everything, all that is given must hold.

    ``tenant`` and the values of ``tags`` are exact; ``workflow``, ``name`` and ``content_type`` are patterns (see
    ``tierkeeper.policy.patterns``). Sizes are bytes of content, both bounds included.
    """

    tenant: str | None = None
    workflow: str | None = None
    name: str | None = None
    tags: tuple[tuple[str, str], ...] = ()  # sorted pairs, so that a policy can be hashed
    content_type: str | None = None
    size_min: int | None = None
    size_max: int | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """From the age ``after`` on, these tiers are wanted; none of them: purge."""

    after: Duration
    tiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Retention:
    """A WORM lock for ``period`` from the creation on; ``tiers`` are those whose copies it protects."""

    mode: RetentionMode
    period: Duration
    tiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Brake:
    """How much a policy may delete of one tenant in a day: the larger of a share of its artifacts and a number."""

    share: float = 0.0
    count: int = 0
    off: bool = False  # no limit at all

    def limit(self, population: int) -> int | None:
        """Return how many it lets go of a tenant with so many artifacts; None: any number."""
        if self.off or self.share >= 1:
            return None
        return max(self.count, round(self.share * _MILLION) * population // _MILLION)


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy. Version 0 was not applied yet.

    ``clock`` is ``created``, ``accessed`` or ``metadata:<field>``; ``phases`` begin at 0d and ascend, at most the
    last one is a purge; ``undo`` and ``brake`` None leave the undo window and the brake to the settings.
    """

    name: str
    version: int
    match: Match
    clock: str
    write: WriteStrategy
    phases: tuple[Phase, ...]
    retention: Retention | None = None
    versions_keep: int | None = None
    undo: Duration | None = None
    brake: Brake | None = None
    id: UUID | None = field(default=None, compare=False)
    built_in: bool = False

    @property
    def label(self) -> str:
        """The name and version, as events and ``explain`` give it, such as ``reports v3``."""
        return f"{self.name} v{self.version}" if self.version else f"{self.name} (not applied)"

    @property
    def clock_field(self) -> str | None:
        """The metadata field that the age is counted from, None for the other clocks."""
        return self.clock.removeprefix(METADATA_PREFIX) if self.clock.startswith(METADATA_PREFIX) else None
