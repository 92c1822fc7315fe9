"""Judges whether an attempt was certainly refused, and records whether every attempt of one call was.

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

from tierkeeper.stores.s3.exchange import NotConnected

#: HTTP statuses of a refusal: with another 5xx the request may have been carried out
_REFUSALS: Final = frozenset({*range(300, 500), 503})
#: exceptions that end an attempt before its request was sent; a proxy's error may come later, and is not among them
NEVER_SENT = (
    NotConnected,
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


def refuses(outcome: int | BaseException | None) -> bool:
    """Return True if an attempt that ended in this HTTP status or exception certainly had no effect."""
    return outcome in _REFUSALS if isinstance(outcome, int) else isinstance(outcome, NEVER_SENT)


def lost(error: BaseException) -> None:
    """Record that an attempt ended in a connection error."""
    _note(refused=refuses(error))


def answered(status: int) -> None:
    """Record an answered attempt. The error code is not known here: a 500 with ``SlowDown`` counts as maybe done."""
    _note(refused=refuses(status))


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
