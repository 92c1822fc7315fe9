"""Looks at objects: by their pins, and after they were written."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tierkeeper.stores.base import ObjectInfo, ObjectKey, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, Unnamed
from tierkeeper.stores.s3 import answers, probe
from tierkeeper.stores.s3.place import Place


def head(place: Place, key: ObjectKey) -> Mapping[str, Any]:
    """Return what the server says of these bytes; ContentMismatch where others are there, Unnamed where it is mute."""
    version, etag = answers.named(key)
    try:
        with place.translating(key.location):
            address = place.address(key.location, version)
            found: Mapping[str, Any] = place.hot.head_object(**address, ChecksumMode="ENABLED")
    except ObjectNotFound:
        place.require_bucket()  # a HEAD does not say whether the object is missing or the bucket
        raise
    place.told_etags_until = 0.0 if answers.etag(found) is None else time.monotonic() + probe.LIFE
    require(place, key.location, etag, found)
    return found


def is_named(place: Place, version: str | None) -> bool:
    """Whether what an answer's body tells of can be asked for by name: by its version, or by its ETag.

    The ETag counts where the last HEAD, not long ago, told one: a proxy may weaken those of all headers.
    """
    return version is not None or time.monotonic() < place.told_etags_until


def require(
    place: Place, location: str, etag: str | None, answer: Mapping[str, Any], *, read_whole: bool = False
) -> None:
    """Raise ContentMismatch where ``answer`` is about other bytes than those of ``etag``, Unnamed where it has none.

    What is ``read_whole`` needs no ETag: who reads it compares its SHA-256.
    """
    found = answers.etag(answer)
    if etag is None or (found is None and read_whole):
        return
    if found is None:
        raise Unnamed(tier=place.tier, location=location)
    if found != etag:
        raise changed(place, location, f"ETag {found}, not {etag}")


def tells_version(place: Place, answer: Mapping[str, Any]) -> bool:
    """Whether the answer to a write names the version that was made, where the bucket keeps some; else a HEAD does.

    By that the copy is locked, read and deleted, whatever comes to its name later.
    """
    return answer.get("VersionId") is not None or not place.versioned


def changed(place: Place, location: str, how: str) -> ContentMismatch:
    """Return the error that other bytes are there than the pin names."""
    return mismatch(place, location, f"something else was written there since ({how})")


def mismatch(place: Place, location: str, reason: str) -> ContentMismatch:
    """Return the error."""
    return ContentMismatch(tier=place.tier, location=location, reason=reason)


def after(place: Place, location: str, info: ObjectInfo, answer: Mapping[str, Any]) -> tuple[Stored, Mapping[str, Any]]:
    """Look at what ``answer`` says was written; ContentMismatch if it is something else by now, or not ``info``'s.

    It has the pin that ``answer`` says, unless that is an ETag and the look has none (a proxy may weaken it): what a
    server tells at times names nothing.
    """
    version, etag = answers.version(answer.get("VersionId")), answers.etag(answer)
    found = head(place, ObjectKey(location, version))
    if answers.etag(found) is None:
        etag = None
    require(place, location, etag, found)
    return replace(checked(place, stored(place, location, found), info), pin=version or etag), found


def checked(place: Place, seen: Stored, info: ObjectInfo) -> Stored:
    """Return ``seen``; ContentMismatch if the server has another size or SHA-256."""
    if seen.size != info.size:
        raise mismatch(place, seen.location, f"the server has {seen.size} bytes, not {info.size}")
    if seen.sha256 not in {None, info.sha256}:
        raise mismatch(place, seen.location, "the server has another SHA-256")
    return seen


def stored(place: Place, location: str, found: Mapping[str, Any]) -> Stored:
    """Return what a HEAD says; nobody vouches for it. Raises Garbled."""
    with place.understanding(location):
        return answers.stored(location, found)


def there(place: Place, location: str, size: int) -> Stored | None:
    """Look for what was to be written after its answer was lost: nobody vouches for it, and there is no pin (R16)."""
    try:
        with place.translating(location):
            found = place.hot.head_object(**place.address(location, None), ChecksumMode="ENABLED")
    except ObjectNotFound:
        return None
    seen = stored(place, location, found)
    if seen.size != size:
        raise mismatch(place, location, f"the server has {seen.size} bytes, not {size}")
    return seen
