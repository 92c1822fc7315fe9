"""Objects put into a store and read back, without an engine."""

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from tierkeeper.base.ids import new_id
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored

MIB = 1024 * 1024
CREATED = datetime(2024, 5, 17, 23, 59, 59, 123456, tzinfo=UTC)


def info_of(
    content: bytes,
    *,
    name: str = "weekly/report.md",
    tenant: str = "acme",
    content_type: str = "text/markdown",
    metadata: Mapping[str, object] | None = None,
) -> ObjectInfo:
    """Describe ``content`` as a new placement."""
    return ObjectInfo(
        tenant=tenant,
        workflow="weekly_reports",
        name=name,
        version=3,
        placement=new_id(),
        sha256=hashlib.sha256(content).digest(),
        size=len(content),
        created=CREATED,
        content_type=content_type,
        metadata=metadata or {"team": "fi\u2013nance", "n": 1},
    )


def put(store: Store, content: bytes, info: ObjectInfo | None = None) -> tuple[ObjectKey, ObjectInfo, Stored]:
    """Put ``content`` at a fresh location."""
    info = info or info_of(content)
    stored = store.put(store.location(info), io.BytesIO(content), info)
    return ObjectKey(stored.location, stored.version), info, stored


def read(store: Store, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> bytes:
    """Read it whole, or a range."""
    with store.open(key, offset=offset, length=length) as pieces:
        return b"".join(pieces)


class MakeStore(Protocol):
    """Makes a store; ``prepared`` False leaves its place as it is."""

    def __call__(
        self, url: str, *, tier: str = "hot", prepared: bool = True, catalog_url: str | None = None, **options: str
    ) -> Store: ...
