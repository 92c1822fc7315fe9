"""An object's description as S3 metadata: written and read back."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, unquote
from uuid import UUID

from tierkeeper.base.clock import utc
from tierkeeper.stores.base import ObjectInfo
from tierkeeper.values.plain import plain

MOST = 2000  # bytes of names and values; S3's limit is 2 KB
_BASE64 = "base64:"


def written(info: ObjectInfo) -> dict[str, str]:
    """Return the object's metadata; the artifact's own metadata is included where it fits."""
    about = {
        "tenant": header(info.tenant),
        "workflow": header(info.workflow),
        "name": header(info.name),
        "version": str(info.version),
        "sha256": info.sha256.hex(),
        "size": str(info.size),
        "created": info.created.isoformat(),
    }
    if info.metadata:
        own = header(json.dumps(plain(info.metadata), ensure_ascii=False, separators=(",", ":")))
        if sum(len(name) + len(value) for name, value in about.items()) + len("metadata") + len(own) <= MOST:
            about["metadata"] = own
    return about


def read_back(about: Mapping[str, str], *, content_type: str, location: str) -> ObjectInfo | None:
    """Return what :func:`written` wrote; None for an object that tierkeeper did not write."""
    try:
        return ObjectInfo(
            tenant=_text(about["tenant"]),
            workflow=_text(about["workflow"]),
            name=_text(about["name"]),
            version=int(about["version"]),
            placement=UUID(location[-36:]),
            sha256=bytes.fromhex(about["sha256"]),
            size=int(about["size"]),
            created=utc(datetime.fromisoformat(about["created"])),
            content_type=content_type,
            metadata=dict(json.loads(_text(about["metadata"]))) if "metadata" in about else {},
        )
    except (KeyError, ValueError, TypeError, RecursionError):
        return None


def header(text: str) -> str:
    """Return ``text`` encoded for a header: percent-encoded, or ``base64:…`` if shorter (S3's limit is 2 KB in all).

    A percent-encoded text never begins with ``base64:``, as its colons are quoted.
    """
    return min(quote(text), f"{_BASE64}{base64.urlsafe_b64encode(text.encode()).decode()}", key=len)


def _text(value: str) -> str:
    if value.startswith(_BASE64):
        return base64.urlsafe_b64decode(value.removeprefix(_BASE64)).decode()
    return unquote(value)
