"""Reading one copy by itself, to know whether it is what it should be."""

import hashlib
from collections.abc import Callable

from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine, key_of
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound


def sha256_of(store: Store, key: ObjectKey, *, progressed: Callable[[], None] = lambda: None) -> bytes:
    """Read an object whole; return the hash of what came."""
    digest = hashlib.sha256()
    with store.open(key) as chunks:
        for chunk in chunks:
            digest.update(chunk)
            progressed()
    return digest.digest()


def check(
    engine: Engine,
    copy: PlacementRow,
    sha256: bytes,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
) -> str | None:
    """Read a copy and compare the hash of its bytes; return what is wrong with it, None if nothing is.

    Other bytes than its pin names are wrong; not so where ``pinned`` is false, to find that right ones came back.
    Raises what its store raises, but for a missing object and bytes that do not match: those are answers.
    """
    key = key_of(copy) if pinned else ObjectKey(copy.location, copy.store_version)
    try:
        found = sha256_of(engine.store(copy.tier), key, progressed=progressed)
    except (ObjectNotFound, ContentMismatch) as error:
        return str(error)
    return None if found == sha256 else f"its SHA-256 is {found.hex()}, not {sha256.hex()}"


def confirmed(
    engine: Engine,
    copy: PlacementRow,
    sha256: bytes,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
) -> str | None:
    """Read again where a copy is wrong: a store may answer wrong once, and what is called damaged is not read."""
    if check(engine, copy, sha256, pinned=pinned, progressed=progressed) is None:
        return None
    return check(engine, copy, sha256, pinned=pinned, progressed=progressed)
