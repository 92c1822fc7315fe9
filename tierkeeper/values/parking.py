"""Views of stuck items for operators: parked artifacts, deliveries that are parked or wait, dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tierkeeper.values.artifacts import Ref


class StuckKind(StrEnum):
    """The kind of a stuck item."""

    ARTIFACT = "artifact"
    DELIVERY = "delivery"  # a message
    MALFORMED = "malformed"  # a dead letter: a message that a worker refused


class StuckState(StrEnum):
    """The state of a stuck item."""

    PARKED = "parked"  # until an operator retries or skips it
    WAITING = "waiting"  # a delivery that is sent again by itself
    SKIPPED = "skipped"  # a delivery that an operator leaves as it is


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as it was sent; ``arguments`` are raw and unvalidated."""

    task: str
    key: str
    arguments: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that a worker refused; ``raw``: its beginning, ``sha256`` and ``size``: of all of it."""

    raw: bytes
    size: int
    sha256: bytes
    reason: str
    broker: str
    queue: str
    task: str


@dataclass(frozen=True, slots=True)
class StuckFilter:
    """Conditions that select stuck items; all given ones must hold. Patterns are globs, ``reason`` is a substring."""

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
    broker: str | None = None  # of a dead letter: where it came from
    queue: str | None = None
    first_at: datetime | None = None
    size: int | None = None  # of a dead letter: the bytes of all of it


@dataclass(frozen=True, slots=True)
class StuckResult:
    """The outcome of an operator's decision about one item."""

    item: Stuck
    outcome: str  # retried | skipped | refused (a retry of a dead letter) | gone (no longer stuck)
    detail: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class StuckError:
    """One of several items about which nothing was decided: what was asked for, and its error as a dictionary."""

    asked: str
    error: Mapping[str, Any]
