"""Whether every try of one call was refused for certain.

botocore makes a call again, and its error tells of the last try alone; the thin client leaves it what it lost. A write
that was refused in the end may have been done by the try before, whose answer nobody got.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import urllib3.exceptions
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

_REFUSED: Final = range(300, 500)
_UNAVAILABLE: Final = 503

#: what ends a try before its request was sent; a proxy's error may come after it
NEVER_SENT = (
    ConnectTimeoutError,
    EndpointConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
)


@dataclass(slots=True)
class Tries:
    """The tries of one call; ``refused``: none of them was carried out for certain, as none was where none began."""

    refused: bool = True


_watched: ContextVar[Tries | None] = ContextVar("_watched", default=None)


@contextlib.contextmanager
def watched() -> Iterator[Tries]:
    """Watch the tries of the one call that is made here, by either client, in this thread."""
    tries = Tries()
    token = _watched.set(tries)
    try:
        yield tries
    finally:
        _watched.reset(token)


def lost(error: BaseException) -> None:
    """Note that a try ended in an error of the connection."""
    _note(refused=isinstance(error, NEVER_SENT))


def answered(status: int) -> None:
    """Note that a try was answered: a server that failed may have done it, one that is too busy has not begun."""
    _note(refused=status in _REFUSED or status == _UNAVAILABLE)


def ended(response: tuple[Any, Any] | None = None, caught_exception: BaseException | None = None, **_: object) -> None:
    """Note how a try of botocore ended: its handler of ``needs-retry``, with its names."""
    if caught_exception is not None:
        lost(caught_exception)
    elif response is not None:
        answered(response[0].status_code)


def _note(*, refused: bool) -> None:
    tries = _watched.get()
    if tries is not None:
        tries.refused = tries.refused and refused
