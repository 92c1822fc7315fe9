"""Views of runs, and the result of one call of a sweep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tierkeeper.base.states import RunKind, RunState
from tierkeeper.values.artifacts import ItemError


@dataclass(frozen=True, slots=True)
class RunView:
    """One run: its kind, times, counts and result."""

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
    approval: Mapping[str, Any] | None = None  # the decision, its actor (`by`), time (`at`) and reason


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The result of one call of a sweep; ``counts`` as in its run, such as ``moved to warm: 12``."""

    counts: Mapping[str, int]
    bytes: int
    errors: int
    more: bool  # due work is left because the time was up
    failures: tuple[ItemError, ...] = ()
