"""Progress of long store calls: a copy in parts reports each part, so that the engine can renew its lease.

The engine sets a listener for the duration of a call; the store reads it in the thread of the call, and may call it
from any thread. A store that copies in one request reports nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[], None] | None] = ContextVar("listener", default=None)


@contextmanager
def reporting_to(listener: Callable[[], None]) -> Iterator[None]:
    """Make ``listener`` the one that store calls within report their progress to."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def listener() -> Callable[[], None]:
    """Return the listener to call after each part of this thread's call; it does nothing where none is set."""
    return _LISTENER.get() or (lambda: None)
