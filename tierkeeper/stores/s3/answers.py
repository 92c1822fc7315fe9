"""Reads S3's answers about an object: version id, ETag, pin, size and SHA-256."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from tierkeeper.base.clock import utc
from tierkeeper.stores.base import ObjectKey, Stored


def version(given: str | None) -> str | None:
    """Return the version id; None for ``null``, S3's id of an unversioned object, which not every server accepts."""
    return None if given == "null" else given


def etag(answer: Mapping[str, Any]) -> str | None:
    """Return the ETag with its quotes, which some servers omit in an answer's body; None for a weak one.

    A weak ETag (``W/"…"``) only says that the bytes are equivalent, and fulfils no If-Match (RFC 9110, 8.8.3.2): it
    names no bytes.
    """
    given: str | None = answer.get("ETag")
    return None if not given or given.startswith("W/") else f'"{given.strip(chr(34))}"'


def pin(answer: Mapping[str, Any]) -> str | None:
    """Return the pin of the bytes that an answer is about: the version id, else the ETag."""
    return version(answer.get("VersionId")) or etag(answer)


def named(key: ObjectKey) -> tuple[str | None, str | None]:
    """Return the version id and the ETag that a key names; a pin with quotes is an ETag."""
    if key.pin is None or key.pin.startswith('"'):
        return key.version, key.pin
    return key.pin, None


def stored(location: str, found: Mapping[str, Any]) -> Stored:
    """Return the object that a HEAD reports; not vouched for."""
    return Stored(
        location,
        found["ContentLength"],
        version=version(found.get("VersionId")),
        sha256=whole_sha256(found),
        modified=utc(found["LastModified"]) if "LastModified" in found else None,
    )


def whole_sha256(answer: Mapping[str, Any]) -> bytes | None:
    """Return the server's SHA-256 of the whole content; None where it reports none, or one over parts' checksums.

    An upload in parts has a dash in its ETag. Ceph copies such an object with its checksum of checksums and reports
    that as the checksum of the whole, so without an ETag the checksum is not used. An invalid SHA-256 is None too.
    """
    checksum, etag = answer.get("ChecksumSHA256"), answer.get("ETag")
    if not etag or "-" in etag or checksum is None or "-" in checksum or answer.get("ChecksumType") == "COMPOSITE":
        return None
    try:
        given = base64.b64decode(checksum, validate=True)
    except ValueError:
        return None
    return given if len(given) == hashlib.sha256().digest_size else None
