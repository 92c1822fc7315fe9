"""What a store refused, in its own words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

#: the code where a lock of the store's own refuses a delete: the copy goes when the lock ends
LOCKED: Final = "Locked"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one thing was refused: the code of the error, or the store's own, and words."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last refusal of something that is tried again and again: its code and words, its time, and how often.

    ``since``: the first one without a success in between.
    """

    code: str
    reason: str
    since: datetime
    at: datetime
    count: int

    def __str__(self) -> str:
        named = self.reason if self.code in self.reason else f"{self.code}: {self.reason}"
        times = "once" if self.count == 1 else f"{self.count} times"
        return f"{named} ({times} since {self.since:%Y-%m-%d %H:%M} UTC)"


@dataclass(frozen=True, slots=True)
class SweepRefusal:
    """What one tier's store refuses to a whole ``sweep``, such as the listing to reconcile."""

    tier: str
    sweep: str
    refusal: Refusal
