"""What S3's answers say of an object, and what names its bytes."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from tierkeeper.base.clock import utc
from tierkeeper.stores.base import ObjectKey, Stored


def version(given: str | None) -> str | None:
    """Return the version id; S3's name for the one without an id is ``null``, which not every server takes back."""
    return None if given == "null" else given


def etag(answer: Mapping[str, Any]) -> str | None:
    """Return the ETag with its quotes, which some servers leave out in an answer's body; None for a weak one.

    A weak ETag (``W/"…"``) says that something much like it was there, and no condition is ever met by it (RFC 9110,
    8.8.3.2): it names no bytes.
    """
    given: str | None = answer.get("ETag")
    return None if not given or given.startswith("W/") else f'"{given.strip(chr(34))}"'


def pin(answer: Mapping[str, Any]) -> str | None:
    """Return what names exactly the bytes that an answer is about: the version id, else the ETag."""
    return version(answer.get("VersionId")) or etag(answer)


def named(key: ObjectKey) -> tuple[str | None, str | None]:
    """Return the version id and the ETag that a key names; of a pin, the quotes tell which of them it is."""
    if key.pin is None or key.pin.startswith('"'):
        return key.version, key.pin
    return key.pin, None


def stored(location: str, found: Mapping[str, Any]) -> Stored:
    """Return what a HEAD says; nobody vouches for it."""
    return Stored(
        location,
        found["ContentLength"],
        version=version(found.get("VersionId")),
        sha256=whole_sha256(found),
        modified=utc(found["LastModified"]) if "LastModified" in found else None,
    )


def whole_sha256(found: Mapping[str, Any]) -> bytes | None:
    """Return the server's SHA-256 of the whole content; that of an upload in parts is one over theirs.

    The mark of an upload in parts is a dash in the ETag: Ceph copies such an object with its checksum of checksums
    and calls it that of the whole. So it is none where there is no ETag. What is no SHA-256 is none.
    """
    checksum, etag = found.get("ChecksumSHA256"), found.get("ETag")
    if not etag or "-" in etag or checksum is None or "-" in checksum or found.get("ChecksumType") == "COMPOSITE":
        return None
    try:
        given = base64.b64decode(checksum, validate=True)
    except ValueError:
        return None
    return given if len(given) == hashlib.sha256().digest_size else None
