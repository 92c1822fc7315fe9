"""Whether this process, or the one that it was forked from, was asked to end: long work then stops at its next seam.

The byte lies in memory that parent and children share, because only a worker's first process hears the signal.
"""

import mmap
import time
from typing import Final

_ASKED: Final = mmap.mmap(-1, 1)


def ask() -> None:
    """Ask this process and its children to end. Safe in a signal handler."""
    _ASKED[0] = 1


def asked() -> bool:
    """Whether they were asked."""
    return _ASKED[0] == 1


def over(deadline: float | None) -> bool:
    """Whether work is to hand over now: ``deadline`` (``time.monotonic``) has come, or the process is to end."""
    return asked() or (deadline is not None and time.monotonic() >= deadline)
