"""Calls that take a server long: made with a long time-out, and repeated only after a check of their outcome.

A server continues a copy after the client has stopped waiting. Copies that are begun again with each attempt make a
slow server slower, and none of them is ever seen to finish.
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

_LOOKS = 10  # checks for a copy that may be under way


def once(
    place: Place, location: str, size: int, call: Callable[["S3Client"], T], look: Callable[[], F | None]
) -> T | F:
    """Return the answer of ``call``, or the result of ``look`` after the answer was lost.

    ``call`` gets a client that makes one attempt and waits as long as a copy of ``size`` bytes may take. Where it fails
    soon and ``look`` finds nothing, it is repeated, up to the tier's ``attempts``. Where it took long, ``look`` is
    repeated for as long again: OutcomeUnknown if nothing appears. Where every attempt was refused the outcome is known,
    and the last error is raised.
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
            result = look()
            if result is None and took > seconds * SOON:
                result = _watch(look, seconds)
                tried = place.options.attempts
            if result is not None:
                return result
            if tried >= place.options.attempts:
                if refused:
                    raise
                raise OutcomeUnknown(**error.data) from error
        time.sleep(COPY_PAUSES.seconds(tried))


def _watch(look: Callable[[], F | None], seconds: float) -> F | None:
    """Repeat ``look`` for ``seconds``; return its first result, None if there is none."""
    end = time.monotonic() + seconds
    found = None
    while found is None and (remaining := end - time.monotonic()) > 0:
        time.sleep(min(remaining, seconds / _LOOKS))
        found = look()
    return found
