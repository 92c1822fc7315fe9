"""Whether anything may be deleted physically."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DeletesView:
    """Whether anything may be deleted physically; who said so, when and why."""

    enabled: bool
    by: str
    reason: str
    at: datetime | None
