"""Records whether every attempt of one call was certainly refused.

botocore repeats a call, and its error is that of the last attempt alone; the thin client hands it calls whose answers
it lost. A write that was refused in the end may have been done by an earlier attempt whose answer was lost.
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

#: exceptions that end an attempt before its request was sent; a proxy's error may come later, and is not among them
NEVER_SENT = (
    ConnectTimeoutError,
    EndpointConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
)


@dataclass(slots=True)
class Tries:
    """The attempts of one call; ``refused``: certainly none of them was carried out. True before the first."""

    refused: bool = True


_watched: ContextVar[Tries | None] = ContextVar("_watched", default=None)


@contextlib.contextmanager
def watched() -> Iterator[Tries]:
    """Record the attempts of the one call made within, by either client, in this thread."""
    tries = Tries()
    token = _watched.set(tries)
    try:
        yield tries
    finally:
        _watched.reset(token)


def lost(error: BaseException) -> None:
    """Record that an attempt ended in a connection error."""
    _note(refused=isinstance(error, NEVER_SENT))


def answered(status: int) -> None:
    """Record an answered attempt; only a 3xx, 4xx or 503 is a refusal: with another 5xx it may have been done."""
    _note(refused=status in _REFUSED or status == _UNAVAILABLE)


def botocore_attempt_ended(
    response: tuple[Any, Any] | None = None, caught_exception: BaseException | None = None, **_: object
) -> None:
    """Record how an attempt of botocore ended; a handler of ``needs-retry``, with botocore's parameter names."""
    if caught_exception is not None:
        lost(caught_exception)
    elif response is not None:
        answered(response[0].status_code)


def _note(*, refused: bool) -> None:
    tries = _watched.get()
    if tries is not None:
        tries.refused = tries.refused and refused
