"""What a run would do, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tierkeeper.base.states import Outcome
from tierkeeper.values.artifacts import Ref


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
