"""How a store tells that a long call goes on: what it copies in parts keeps its lease from part to part.

The engine says whom to tell while a call lasts; a store asks, in the thread of the call, and tells from any other. A
store that copies in one go has nothing to tell.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[], None] | None] = ContextVar("listener", default=None)


@contextmanager
def told_to(listener: Callable[[], None]) -> Iterator[None]:
    """Let what is called within tell ``listener`` of its progress."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def listener() -> Callable[[], None]:
    """Return whom the call of this thread tells that a part of it is done."""
    return _LISTENER.get() or (lambda: None)
