"""Views of events in the audit log, and of what is no longer in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of the audit log."""

    subject: UUID
    revision: int
    at: datetime
    type: str
    tenant: str | None
    workflow: str | None
    name: str | None
    version: int | None
    actor: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    policy: str | None
    run: UUID | None
    correlation: str | None
    age_days: float | None
    position: str | None = None  # in the order of events; None until every earlier transaction has ended


@dataclass(frozen=True, slots=True)
class EventsCut:
    """The events before a month are no longer in the catalog: they were detached, and are in these files."""

    before: datetime
    files: tuple[str, ...]
