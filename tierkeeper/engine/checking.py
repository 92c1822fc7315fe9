"""Asking about one copy by itself, to know whether it is what it should be."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine, key_of
from tierkeeper.stores.base import ObjectKey, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a copy: nothing is there (``missing``), or other bytes are. ``at``: when the look began."""

    reason: str
    missing: bool
    at: float = field(default_factory=time.monotonic)

    @property
    def ago(self) -> float:
        """How many seconds ago the look began."""
        return time.monotonic() - self.at


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
) -> Wrong | None:
    """Read a copy and compare the hash of its bytes; return what is wrong with it, None if nothing is.

    Other bytes than its pin names are wrong; not so where ``pinned`` is false, to find that right ones came back.
    Raises what its store raises, but for a missing object and bytes that do not match: those are answers.
    """
    key, at = key_of(copy) if pinned else ObjectKey(copy.location, copy.store_version), time.monotonic()
    try:
        found = sha256_of(engine.store(copy.tier), key, progressed=progressed)
    except (ObjectNotFound, ContentMismatch) as error:
        return Wrong(str(error), isinstance(error, ObjectNotFound), at)
    return None if found == sha256 else Wrong(f"its SHA-256 is {found.hex()}, not {sha256.hex()}", missing=False, at=at)


def confirmed(
    engine: Engine,
    copy: PlacementRow,
    sha256: bytes,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
) -> Wrong | None:
    """Read again where a copy is wrong: a store may answer wrong once, and what is called damaged is not read."""
    if check(engine, copy, sha256, pinned=pinned, progressed=progressed) is None:
        return None
    return check(engine, copy, sha256, pinned=pinned, progressed=progressed)


def look(engine: Engine, copy: PlacementRow) -> Wrong | None:
    """Ask what is at a copy's place, by its pin, and read nothing; return what is wrong with it, None if nothing is.

    Raises what its store raises, but for a missing object and bytes that do not match: those are answers.
    """
    at = time.monotonic()
    try:
        found = engine.store(copy.tier).head(key_of(copy))
    except (ObjectNotFound, ContentMismatch) as error:
        return Wrong(str(error), isinstance(error, ObjectNotFound), at)
    told = difference(found, size=copy.stored_size, sha256=copy.stored_sha256)
    return Wrong(told, missing=False, at=at) if told else None


def difference(found: Stored, *, size: int | None, sha256: bytes | None) -> str:
    """Return in words how what is there differs from what was committed; nothing where it does not."""
    if size is not None and found.size != size:
        return f"it has {found.size} bytes, not {size}"
    if sha256 is not None and found.sha256 is not None and found.sha256 != sha256:
        return f"its SHA-256 is {found.sha256.hex()}, not {sha256.hex()}"
    return ""
