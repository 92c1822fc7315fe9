"""Reading one copy by itself, to know whether it is what it should be."""

import hashlib
from collections.abc import Callable

from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine, key_of
from tierkeeper.stores.base import ObjectKey, Store, Stored
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


def look(engine: Engine, copy: PlacementRow) -> str | None:
    """Ask what is at a copy's place, by its pin, and read nothing; return what is wrong with it, None if nothing is.

    Raises what its store raises, but for a missing object and bytes that do not match: those are answers.
    """
    try:
        found = engine.store(copy.tier).head(key_of(copy))
    except (ObjectNotFound, ContentMismatch) as error:
        return str(error)
    return difference(found, size=copy.stored_size, sha256=copy.stored_sha256) or None


def difference(found: Stored, *, size: int | None, sha256: bytes | None) -> str:
    """Return in words how what is there differs from what was committed; nothing where it does not."""
    if size is not None and found.size != size:
        return f"it has {found.size} bytes, not {size}"
    if sha256 is not None and found.sha256 is not None and found.sha256 != sha256:
        return f"its SHA-256 is {found.sha256.hex()}, not {sha256.hex()}"
    return ""
