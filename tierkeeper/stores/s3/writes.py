"""Finds out whether a bucket takes writes, by an own object below ``.tierkeeper/probe/``.

Requests cost money, so a bucket that took one is believed for an hour by each process; one that refused is asked again.
The object gets the bucket's default class, and its exact version is deleted, so that a versioned bucket keeps nothing.
A bucket with Object Lock may lock by itself whatever is written, so nothing is written there.
"""

import time
from uuid import uuid4

from tierkeeper.stores.base import DeleteState, ObjectKey
from tierkeeper.stores.errors import ContentMismatch, StoreDenied
from tierkeeper.stores.s3 import answers, delete
from tierkeeper.stores.s3.place import Place
from tierkeeper.stores.s3.probe import FOLDER

LIFE = 3600  # seconds for which a bucket that took a write is believed
_BODY = b"probe"


class Writes:
    """Whether one tier's bucket takes writes. Safe to use from many threads."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._until = 0.0

    def check(self) -> None:
        """Raise StoreError if a write, its read or its delete is refused."""
        if time.monotonic() >= self._until and not self._place.lockable:
            self._probe()
            self._until = time.monotonic() + LIFE

    def _probe(self) -> None:
        place, location = self._place, f"{FOLDER}{uuid4()}"
        with place.translating(location):
            written = place.client.put_object(**place.address(location, None), Body=_BODY)
        version = answers.version(written.get("VersionId"))
        try:
            with place.translating(location):
                read = place.client.get_object(**place.address(location, version))["Body"].read()
        finally:
            (result,) = delete.delete(place, [ObjectKey(location, version)])
        if read != _BODY:
            reason = "what was written for a probe is not what is read"
            raise ContentMismatch(tier=place.tier, location=location, reason=reason)
        if result.state is not DeleteState.DELETED:
            reason = f"it takes writes and refuses deletes: {result.detail}"
            raise StoreDenied(tier=place.tier, reason=reason)
