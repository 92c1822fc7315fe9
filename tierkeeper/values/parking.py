"""What is stuck, as operators see it: parked artifacts, and deliveries that are parked or wait."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tierkeeper.values.artifacts import Ref


class StuckKind(StrEnum):
    """What an item is."""

    ARTIFACT = "artifact"
    DELIVERY = "delivery"  # a message


class StuckState(StrEnum):
    """How it stands."""

    PARKED = "parked"  # until an operator retries or skips it
    WAITING = "waiting"  # a delivery that is sent again by itself
    SKIPPED = "skipped"  # a delivery that an operator leaves as it is


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as it was sent; ``arguments`` are raw, nothing of them was checked."""

    task: str
    key: str
    arguments: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StuckFilter:
    """Selects what is stuck; patterns are shell globs, ``reason`` is a part of it; every condition given must hold."""

    tenant: str | None = None
    workflow: str | None = None
    name: str | None = None
    version: int | None = None
    reason: str | None = None
    kind: StuckKind | None = None
    state: StuckState | None = StuckState.PARKED  # None: any
    item: str | None = None  # a delivery's id or key, or an artifact's id


@dataclass(frozen=True, slots=True)
class Stuck:
    """One stuck item; ``ref`` None: a delivery of several artifacts, or of none."""

    id: UUID
    kind: StuckKind
    state: StuckState
    tenant: str
    ref: Ref | None
    what: str  # the task of a delivery, the step of an artifact
    key: str | None
    reason: str
    attempts: int
    since: datetime
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StuckResult:
    """What became of one item when an operator decided about it."""

    item: Stuck
    outcome: str  # retried | skipped | gone (nobody has to decide any more)
    detail: str
    dry_run: bool = False
