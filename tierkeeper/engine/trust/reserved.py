"""What tierkeeper itself keeps in the coldest tier, beside what it keeps for others.

Its objects lie below :data:`PREFIX`: the catalog's epoch and its dumps. No artifact can lie there, and whoever lists a
store and compares it with the placements leaves them out (:func:`ours`). A database tier holds records only: the
coldest of the others is taken (:func:`home`).
"""

from datetime import datetime
from typing import BinaryIO
from uuid import UUID

from tierkeeper.engine.context import Engine
from tierkeeper.stores import layout
from tierkeeper.stores.base import ObjectInfo, Store, Stored
from tierkeeper_client.digest import digest_of

PREFIX = f"{layout.RESERVED}/"


def ours(location: str) -> bool:
    """Whether tierkeeper itself keeps this, so that no placement knows of it."""
    return location.startswith(PREFIX)


def home(engine: Engine) -> Store | None:
    """Return the store of the coldest tier that is no database; None where every tier is one."""
    folders = [tier.name for tier in engine.tiers if not tier.is_database]
    return engine.store(folders[-1]) if folders else None


def put(
    store: Store, location: str, content: BinaryIO, *, made: datetime, mark: UUID, content_type: str
) -> tuple[Stored, bytes]:
    """Write an object of tierkeeper's own, from the content's beginning; return what is stored, and its SHA-256."""
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
