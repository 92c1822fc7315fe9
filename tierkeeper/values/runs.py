"""Runs, and what one call of a sweep did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tierkeeper.base.states import RunKind, RunState
from tierkeeper.values.artifacts import ItemError


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
class SweepResult:
    """What one call of a sweep did; ``counts`` as in its run, such as ``moved to warm: 12``."""

    counts: Mapping[str, int]
    bytes: int
    errors: int
    more: bool  # something due is left, because the time was up
    failures: tuple[ItemError, ...] = ()
