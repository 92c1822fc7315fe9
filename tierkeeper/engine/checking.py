"""Asking about one copy by itself, to know whether it is what it should be."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tierkeeper.base.states import Vouched
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine import repinning
from tierkeeper.engine.context import Engine, key_of
from tierkeeper.engine.reads import Reads, Unread
from tierkeeper.stores.base import ObjectKey, Store, Stored, pin_of
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreTransient, Unnamed

#: takes the pin of what was read, None where its store told none
Named = Callable[[str | None], None]


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


def sha256_of(
    store: Store,
    key: ObjectKey,
    *,
    progressed: Callable[[], None] = lambda: None,
    named: Named = lambda _pin: None,
) -> bytes:
    """Read an object whole; return the hash of what came, and tell ``named`` what its bytes are named by."""
    digest = hashlib.sha256()
    with store.open(key) as chunks:
        named(pin_of(chunks))
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
    named: Named = lambda _pin: None,
) -> Wrong | None:
    """Read a copy and compare the hash of its bytes; return what is wrong with it, None if nothing is.

    Where its pin is refused it is read without: right bytes get the pin of that read, others are wrong. Where
    ``pinned`` is false the pin is not asked for, to find that right ones came back.
    Raises what its store raises, but for a missing object and bytes that do not match: those are answers; and
    StoreTransient where right bytes came by another pin that could not be noted.
    """
    key, at = key_of(copy) if pinned else ObjectKey(copy.location, copy.store_version), time.monotonic()
    try:
        found = sha256_of(engine.store(copy.tier), key, progressed=progressed, named=named)
    except ContentMismatch as error:
        if not pinned or not _is_named_by_etag(copy):
            return Wrong(str(error), missing=False, at=at)

        def unpinned(told: Named) -> Wrong | None:
            return check(engine, copy, sha256, pinned=False, progressed=progressed, named=told)

        return _renamed(engine, copy, unpinned, vouched=Vouched.READ)
    except ObjectNotFound as error:
        return Wrong(str(error), missing=True, at=at)
    return None if found == sha256 else Wrong(f"its SHA-256 is {found.hex()}, not {sha256.hex()}", missing=False, at=at)


def confirmed(
    engine: Engine,
    copy: PlacementRow,
    sha256: bytes,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
    named: Named = lambda _pin: None,
) -> Wrong | None:
    """Read again where a copy is wrong: a store may answer wrong once, and what is called damaged is not read."""
    if check(engine, copy, sha256, pinned=pinned, progressed=progressed, named=named) is None:
        return None
    return check(engine, copy, sha256, pinned=pinned, progressed=progressed, named=named)


def _is_named_by_etag(copy: PlacementRow) -> bool:
    """Return whether another name may be that of the same bytes: what a version's name names does not change."""
    return copy.pin not in {None, copy.store_version}


def _renamed(
    engine: Engine, copy: PlacementRow, compare: Callable[[Named], Wrong | None], *, vouched: Vouched
) -> Wrong | None:
    """Compare the bytes by no pin; note the pin of right ones, return what is wrong with others.

    Raises StoreTransient where the bytes are right and that is not known of this copy: whether the place is the
    tier's own was not told, or the copy is damaged or going.
    """
    pins: list[str | None] = []
    wrong = compare(pins.append)
    if wrong is None and not repinning.note(engine, copy, pin=pins[-1], vouched=vouched):
        reason = f"the bytes of {copy.location} are right under another name, which could not be noted"
        raise StoreTransient(tier=copy.tier, reason=reason)
    return wrong


def look(engine: Engine, copy: PlacementRow, *, reads: Reads | None) -> Wrong | None:
    """Ask what is at a copy's place, by its pin; return what is wrong with it, None if nothing is.

    Where the pin is refused or cannot be checked, ``whole`` compares its bytes within ``reads``: right ones get the
    pin of that, or none if there is none, so they were not seen by that of ``copy``. Without ``reads`` nothing is read
    nor noted. Raises as ``check`` does, and where the SHA-256 was never noted.
    """
    at = time.monotonic()
    try:
        found = engine.store(copy.tier).head(key_of(copy))
    except ContentMismatch as error:
        if reads is None or not _is_named_by_etag(copy):
            return Wrong(str(error), missing=False, at=at)
        return _whole_by_another_name(engine, copy, reads)
    except ObjectNotFound as error:
        return Wrong(str(error), missing=True, at=at)
    except Unnamed:
        if reads is None:
            raise
        return _whole_by_another_name(engine, copy, reads)
    told = difference(found, size=copy.stored_size, sha256=copy.stored_sha256)
    return Wrong(told, missing=False, at=at) if told else None


def _whole_by_another_name(engine: Engine, copy: PlacementRow, reads: Reads) -> Wrong | None:
    vouched = Vouched.SERVER if engine.store(copy.tier).must_thaw else Vouched.READ  # as ``whole`` compares them
    return _renamed(engine, copy, lambda told: whole(engine, copy, reads=reads, named=told), vouched=vouched)


def whole(engine: Engine, copy: PlacementRow, *, reads: Reads, named: Named) -> Wrong | None:
    """Compare all bytes of a copy by no pin: read within ``reads``, or where it must be thawed by its server's SHA-256.

    Raises as ``check`` does; StoreTransient where the SHA-256 was never noted, and Unread where the server of what must
    be thawed tells none.
    """
    sha256 = copy.stored_sha256
    if sha256 is None:
        raise StoreTransient(tier=copy.tier, reason=f"the SHA-256 of {copy.location} was never noted")
    store, key, at = engine.store(copy.tier), ObjectKey(copy.location, copy.store_version), time.monotonic()
    if not store.must_thaw:
        return check(engine, copy, sha256, pinned=False, progressed=reads.begun(copy), named=named)
    try:
        found = store.head(key)
    except ObjectNotFound as error:
        return Wrong(str(error), missing=True, at=at)
    told = difference(found, size=copy.stored_size, sha256=sha256)
    if not told and found.sha256 is None:
        raise Unread(tier=copy.tier, location=copy.location)
    named(found.pin)
    return Wrong(told, missing=False, at=at) if told else None


def difference(found: Stored, *, size: int | None, sha256: bytes | None) -> str:
    """Return in words how what is there differs from what was committed; nothing where it does not."""
    if size is not None and found.size != size:
        return f"it has {found.size} bytes, not {size}"
    if sha256 is not None and found.sha256 is not None and found.sha256 != sha256:
        return f"its SHA-256 is {found.sha256.hex()}, not {sha256.hex()}"
    return ""
