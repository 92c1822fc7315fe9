"""tierkeeper's own objects in the coldest tier, beside the copies of artifacts.

They are below :data:`PREFIX`: the catalog's epoch and its dumps. No artifact can be there, and code that compares a
store's listing with the placements skips them (:func:`is_own`). A database tier holds records only, so the coldest of
the other tiers is used (:func:`home`).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO
from uuid import UUID

from tierkeeper.engine.context import Engine
from tierkeeper.stores import layout
from tierkeeper.stores.base import ObjectInfo, Store, Stored
from tierkeeper_client.digest import digest_of

PREFIX = f"{layout.RESERVED}/"


def is_own(location: str) -> bool:
    """Return True if the location is of an own object, which has no placement."""
    return location.startswith(PREFIX)


def home(engine: Engine) -> Store | None:
    """Return the store of the coldest tier that is no database; None where every tier is one."""
    return next(homes(engine), None)


def homes(engine: Engine) -> Iterator[Store]:
    """Yield the stores of the tiers that are no databases, the coldest first; another may have been the coldest."""
    return (engine.store(tier.name) for tier in reversed(engine.tiers) if not tier.is_database)


def put(
    store: Store, location: str, content: BinaryIO, *, made: datetime, mark: UUID, content_type: str
) -> tuple[Stored, bytes]:
    """Write an own object from the beginning of ``content``; return the stored object and the content's SHA-256."""
    content.seek(0)
    digest = digest_of(content)
    content.seek(0)
    _, workflow, name = location.split("/", 2)
    info = ObjectInfo(
        tenant=layout.RESERVED,
        workflow=workflow,
        name=name,
        version=1,
        placement=mark,
        sha256=digest.sha256,
        size=digest.size,
        created=made,
        content_type=content_type,
    )
    return store.put(location, content, info), digest.sha256
