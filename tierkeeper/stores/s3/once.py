"""Calls that take a server long: made with patience, and never again before somebody looked what became of them.

A server goes on copying when nobody waits for its answer any more. A copy that was begun once more, and again with each
attempt, makes a slow server slower, and none of them is ever seen to be done.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tierkeeper.settings.order import COPY_PAUSES, SOON
from tierkeeper.stores.errors import OutcomeUnknown, StoreTransient
from tierkeeper.stores.s3 import errors
from tierkeeper.stores.s3.place import Place

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
F = TypeVar("F")

_LOOKS = 10  # how often a copy that may be under way is looked for


def once(
    place: Place, location: str, size: int, call: Callable[["S3Client"], T], look: Callable[[], F | None]
) -> T | F:
    """Return what ``call`` answers, or what ``look`` finds after its answer was lost.

    ``call`` gets a client that asks once and waits for ``size`` bytes. Where it fails soon, and nothing is found, it is
    made again, up to the tier's attempts. Where it took long, what it began is waited for as long again: OutcomeUnknown
    if it does not appear. What was refused each time has a known outcome, and that error.
    """
    seconds = place.options.copy_seconds(size)
    client = place.once(seconds)
    tried, refused = 0, True
    while True:
        began = time.monotonic()
        try:
            with place.translating(location):
                return call(client)
        except StoreTransient as error:
            refused = refused and errors.is_refused(error)
            took = time.monotonic() - began
            tried += 1
            found = look()
            if found is None and took > seconds * SOON:
                found = _watch(look, seconds)
                tried = place.options.attempts
            if found is not None:
                return found
            if tried >= place.options.attempts:
                if refused:
                    raise
                raise OutcomeUnknown(**error.data) from error
        time.sleep(COPY_PAUSES.seconds(tried))


def _watch(look: Callable[[], F | None], seconds: float) -> F | None:
    """Look for what may be under way, for ``seconds``."""
    end = time.monotonic() + seconds
    found = None
    while found is None and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, seconds / _LOOKS))
        found = look()
    return found
