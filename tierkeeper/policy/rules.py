"""A policy as a value: its match and its phases, retention, versions and brake."""

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
    """The conditions of a policy on artifacts; all given ones must hold, None and empty match everything.

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
    """The tiers wanted from the age ``after`` on; an empty set is a purge."""

    after: Duration
    tiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Retention:
    """A WORM lock for ``period`` from the creation on, of the copies in ``tiers``."""

    mode: RetentionMode
    period: Duration
    tiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Brake:
    """The most that a policy may delete of one tenant in a day: the larger of a share of its artifacts and a number."""

    share: float = 0.0
    count: int = 0
    off: bool = False  # no limit at all

    def limit(self, population: int) -> int | None:
        """Return the limit for a tenant with that number of artifacts; None: no limit."""
        if self.off or self.share >= 1:
            return None
        return max(self.count, round(self.share * _MILLION) * population // _MILLION)


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy. Version 0 is not applied yet.

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
        """The name and version as shown by events and ``explain``, such as ``reports v3``."""
        return f"{self.name} v{self.version}" if self.version else f"{self.name} (not applied)"

    @property
    def clock_field(self) -> str | None:
        """The metadata field from which the age counts, None for the other clocks."""
        return self.clock.removeprefix(METADATA_PREFIX) if self.clock.startswith(METADATA_PREFIX) else None
