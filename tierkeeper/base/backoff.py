"""Exponential backoff between attempts, capped, with random jitter."""

import random
from dataclasses import dataclass
from typing import Final

_LAST_STEP: Final = 64  # doublings, far beyond any cap; more would overflow a float


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds: ``first`` after the first failure, ``factor`` times as long after each further one.

    ``cap`` is the longest, before the jitter: each wait is multiplied by a random number from ``least`` to ``most``.
    """

    first: float
    cap: float
    factor: float = 2.0
    least: float = 1.0
    most: float = 1.0

    def longest(self, failures: int) -> float:
        """Return the wait in seconds after ``failures`` failures in a row (1 or more), without jitter."""
        return min(self.cap, self.first * self.factor ** min(failures - 1, _LAST_STEP))

    def seconds(self, failures: int) -> float:
        """Return the wait in seconds after ``failures`` failures in a row (1 or more), with jitter."""
        return self.longest(failures) * self.jitter()

    def jitter(self) -> float:
        """Return a random factor between ``least`` and ``most`` for one wait."""
        return random.uniform(self.least, self.most)  # noqa: S311  spreads load, no secret
