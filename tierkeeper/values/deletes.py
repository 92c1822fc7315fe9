"""The state of the switch for physical deletes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DeletesView:
    """Whether physical deletes are enabled, and the actor who set it, the time and the reason."""

    enabled: bool
    by: str
    reason: str
    at: datetime | None
