"""What an operator is told of a rebuilt, restored or examined catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tierkeeper.values.artifacts import Ref
from tierkeeper.values.health import Condition


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """What a rebuild brought back, or would; ``dump`` None: from the objects alone."""

    run: UUID | None
    dump: str | None
    taken_at: datetime | None
    rows: Mapping[str, int]  # by table
    counts: Mapping[str, int]  # what the comparison with the stores found
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What accepting a restored catalog did, or would; ``reason``: why it was not trusted, None if it was."""

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
class Checkup:
    """One check of the doctor: what was asked, what was found, and what to do about it."""

    check: str
    condition: Condition
    found: str
    advice: str = ""
