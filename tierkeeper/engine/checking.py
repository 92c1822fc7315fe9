"""Reading one copy by itself, to know whether it is what it should be."""

import hashlib
from collections.abc import Callable

from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound


def check(
    engine: Engine, copy: PlacementRow, sha256: bytes, *, progressed: Callable[[], None] = lambda: None
) -> str | None:
    """Read a copy and compare the hash of its bytes; return what is wrong with it, None if nothing is.

    Raises what its store raises, but for a missing object and bytes that do not match: those are answers.
    """
    digest = hashlib.sha256()
    try:
        with engine.store(copy.tier).open(ObjectKey(copy.location, copy.store_version)) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                progressed()
    except (ObjectNotFound, ContentMismatch) as error:
        return str(error)
    return None if digest.digest() == sha256 else f"its SHA-256 is {digest.hexdigest()}, not {sha256.hex()}"


def confirmed(
    engine: Engine, copy: PlacementRow, sha256: bytes, *, progressed: Callable[[], None] = lambda: None
) -> str | None:
    """Read again where a copy is wrong: a store may answer wrong once, and what is called damaged is not read."""
    first = check(engine, copy, sha256, progressed=progressed)
    return first and check(engine, copy, sha256, progressed=progressed)
