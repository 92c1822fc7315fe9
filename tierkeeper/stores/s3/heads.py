"""HEAD requests for objects: by their pins, and after they were written."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tierkeeper.stores.base import ObjectInfo, ObjectKey, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, Unnamed
from tierkeeper.stores.s3 import answers, probe
from tierkeeper.stores.s3.place import Place


def head(place: Place, key: ObjectKey) -> Mapping[str, Any]:
    """Return the HEAD of these bytes; ContentMismatch for others at the key, Unnamed without an ETag to compare."""
    version, etag = answers.named(key)
    try:
        with place.translating(key.location):
            address = place.address(key.location, version)
            answer: Mapping[str, Any] = place.hot.head_object(**address, ChecksumMode="ENABLED")
    except ObjectNotFound:
        place.require_bucket()  # a HEAD does not say whether the object is missing or the bucket
        raise
    place.told_etags_until = 0.0 if answers.etag(answer) is None else time.monotonic() + probe.LIFE
    require(place, key.location, etag, answer)
    return answer


def is_named(place: Place, version: str | None) -> bool:
    """Return True if an object in an answer's body can be requested by name: by its version, or by its ETag.

    The ETag counts where the last HEAD, within ``probe.LIFE`` seconds, returned one: a proxy may weaken those in all
    headers.
    """
    return version is not None or time.monotonic() < place.told_etags_until


def require(
    place: Place, location: str, etag: str | None, answer: Mapping[str, Any], *, read_whole: bool = False
) -> None:
    """Raise ContentMismatch where ``answer`` is about other bytes than those of ``etag``, Unnamed where it has none.

    ``read_whole``: no ETag is needed, as the reader compares the SHA-256 of all bytes.
    """
    found = answers.etag(answer)
    if etag is None or (found is None and read_whole):
        return
    if found is None:
        raise Unnamed(tier=place.tier, location=location)
    if found != etag:
        raise changed(place, location, f"ETag {found}, not {etag}")


def tells_version(place: Place, answer: Mapping[str, Any]) -> bool:
    """Return True if the answer to a write has the new version's id, or the bucket keeps no versions.

    Without the id a HEAD has to return it: by it the copy is locked, read and deleted, whatever is written to its key
    later.
    """
    return answer.get("VersionId") is not None or not place.versioned


def changed(place: Place, location: str, how: str) -> ContentMismatch:
    """Return the error for other bytes at a location than the pin names; ``how`` they were recognised."""
    return mismatch(place, location, f"something else was written there since ({how})")


def mismatch(place: Place, location: str, reason: str) -> ContentMismatch:
    """Return a ContentMismatch of this tier."""
    return ContentMismatch(tier=place.tier, location=location, reason=reason)


def after(place: Place, location: str, info: ObjectInfo, answer: Mapping[str, Any]) -> tuple[Stored, Mapping[str, Any]]:
    """HEAD the object that ``answer`` says was written; ContentMismatch if it was replaced, or does not match ``info``.

    The pin is that of ``answer``, unless it is an ETag and the HEAD has none (a proxy may weaken it): an ETag that is
    not always returned names nothing.
    """
    version, etag = answers.version(answer.get("VersionId")), answers.etag(answer)
    found = head(place, ObjectKey(location, version))
    if answers.etag(found) is None:
        etag = None
    require(place, location, etag, found)
    return replace(checked(place, stored(place, location, found), info), pin=version or etag), found


def checked(place: Place, seen: Stored, info: ObjectInfo) -> Stored:
    """Return ``seen``; ContentMismatch if its size or SHA-256 is not that of ``info``."""
    if seen.size != info.size:
        raise mismatch(place, seen.location, f"the server has {seen.size} bytes, not {info.size}")
    if seen.sha256 not in {None, info.sha256}:
        raise mismatch(place, seen.location, "the server has another SHA-256")
    return seen


def stored(place: Place, location: str, found: Mapping[str, Any]) -> Stored:
    """Return the object that a HEAD reports; not vouched for. Raises Garbled."""
    with place.understanding(location):
        return answers.stored(location, found)


def after_lost_answer(place: Place, location: str, size: int) -> Stored | None:
    """HEAD an object whose write lost its answer; None if it is missing. Not vouched for, and without a pin (R16)."""
    try:
        with place.translating(location):
            answer = place.hot.head_object(**place.address(location, None), ChecksumMode="ENABLED")
    except ObjectNotFound:
        return None
    seen = stored(place, location, answer)
    if seen.size != size:
        raise mismatch(place, location, f"the server has {seen.size} bytes, not {size}")
    return seen
