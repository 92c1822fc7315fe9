"""Cooperative shutdown flag of this process and its forked children, checked by long work between batches.

The flag is a byte in memory that parent and children share, because only a worker's first process gets the signal.
"""

import mmap
import time
from typing import Final

_ASKED: Final = mmap.mmap(-1, 1)


def ask() -> None:
    """Set the flag for this process and its children. Safe in a signal handler."""
    _ASKED[0] = 1


def requested() -> bool:
    """Return True if the flag is set."""
    return _ASKED[0] == 1


def over(deadline: float | None) -> bool:
    """Return True if work is to hand over now: ``deadline`` (``time.monotonic``) has passed, or the flag is set."""
    return requested() or (deadline is not None and time.monotonic() >= deadline)
