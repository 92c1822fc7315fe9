"""Results of rebuilding, accepting and examining a catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tierkeeper.values.artifacts import Ref
from tierkeeper.values.health import Condition


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """The counts of a rebuild (in a dry run, of what it would do); ``dump`` None: from the objects alone.

    ``later``: the dumps whose time is later than that of the newest one, which was taken.
    """

    run: UUID | None
    dump: str | None
    taken_at: datetime | None
    rows: Mapping[str, int]  # by table
    counts: Mapping[str, int]  # findings of the comparison with the stores
    dry_run: bool = False
    later: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The counts of accepting a restored catalog; ``reason``: why it was not trusted, None if it was."""

    reason: str | None
    epoch: int | None
    counts: Mapping[str, int]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Approved:
    """One artifact whose hold of a rebuild is released, or would be."""

    ref: Ref
    reason: str


@dataclass(frozen=True, slots=True)
class Mended:
    """One artifact whose row is mended, or would be, and the columns that could not be read."""

    ref: Ref
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checkup:
    """One check of the doctor, its finding in words, and advice."""

    check: str
    condition: Condition
    found: str
    advice: str = ""
