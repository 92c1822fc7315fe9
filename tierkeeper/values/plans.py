"""Values of plans: items, stored plans and the outcomes of an apply."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tierkeeper.base.states import Outcome
from tierkeeper.values.artifacts import Ref


@dataclass(frozen=True, slots=True)
class PlanItemView:
    """The action that a run would take for one artifact, and its reason."""

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
    policy: str = ""  # the policy that governs it then: "reports v3"
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
    """The outcome of an apply for one item; ``detail`` says why an item was left as it is."""

    ref: Ref
    artifact: UUID
    action: str
    outcome: Outcome
    detail: str
