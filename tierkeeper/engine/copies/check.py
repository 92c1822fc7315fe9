"""Asking about one copy by itself, to know whether it is what it should be."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tierkeeper.base.content import Content
from tierkeeper.base.states import Vouched
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import opener, repinning
from tierkeeper.engine.copies.opener import Read, key_of
from tierkeeper.engine.copies.reads import Reads, Unread
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreTransient, Unnamed


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


def check(
    engine: Engine,
    copy: PlacementRow,
    content: Content,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
) -> Wrong | Read:
    """Read a copy and compare the hash of its bytes; return what is wrong with it, what was read if nothing is.

    Where its pin is refused it is read without: right bytes get the pin of that read, others are wrong. Where
    ``pinned`` is false the pin is not asked for, to find that right ones came back.
    Raises what its store raises, but for a missing object and bytes that do not match: those are answers; and
    StoreTransient where right bytes came by another pin that could not be noted.
    """
    form, at = copy.form if pinned else opener.unpinned(copy.form), time.monotonic()
    wanted = opener.expected(form, content, tier=copy.tier)
    try:
        read = opener.read(engine.store(copy.tier), form, progressed=progressed)
    except ContentMismatch as error:
        if not pinned or not _is_named_by_etag(copy):
            return Wrong(str(error), missing=False, at=at)

        def unpinned() -> Wrong | Read:
            return check(engine, copy, content, pinned=False, progressed=progressed)

        return _renamed(engine, copy, unpinned, vouched=Vouched.READ)
    except ObjectNotFound as error:
        return Wrong(str(error), missing=True, at=at)
    told = wanted.difference(sha256=read.sha256)
    return Wrong(told, missing=False, at=at) if told else read


def confirmed(
    engine: Engine,
    copy: PlacementRow,
    content: Content,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
) -> Wrong | Read:
    """Read again where a copy is wrong: a store may answer wrong once, and what is called damaged is not read."""
    found = check(engine, copy, content, pinned=pinned, progressed=progressed)
    return found if isinstance(found, Read) else check(engine, copy, content, pinned=pinned, progressed=progressed)


def _is_named_by_etag(copy: PlacementRow) -> bool:
    """Return whether another name may be that of the same bytes: what a version's name names does not change."""
    return copy.pin not in {None, copy.store_version}


def _renamed(
    engine: Engine, copy: PlacementRow, compare: Callable[[], Wrong | Read], *, vouched: Vouched
) -> Wrong | Read:
    """Compare the bytes by no pin; note the pin of right ones and return them without it, or what is wrong.

    Raises StoreTransient where the bytes are right and that is not known of this copy: whether the place is the
    tier's own was not told, or the copy is damaged or going.
    """
    found = compare()
    if isinstance(found, Wrong):
        return found
    if not repinning.note(engine, copy, pin=found.pin, vouched=vouched):
        reason = f"the bytes of {copy.location} are right under another name, which could not be noted"
        raise StoreTransient(tier=copy.tier, reason=reason)
    return replace(found, pin=None)


def look(engine: Engine, copy: PlacementRow, *, reads: Reads | None) -> Wrong | None:
    """Ask what is at a copy's place, by its pin; return what is wrong with it, None if nothing is.

    Where the pin is refused or cannot be checked, ``whole`` compares its bytes within ``reads``: right ones get the
    pin of that, or none if there is none, so they were not seen by that of ``copy``. Without ``reads`` nothing is read
    nor noted. Raises as ``check`` does, and where the SHA-256 was never noted.
    """
    at = time.monotonic()
    try:
        found = engine.store(copy.tier).head(key_of(copy.form))
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
    told = copy.form.difference(size=found.size, sha256=found.sha256)
    return Wrong(told, missing=False, at=at) if told else None


def _whole_by_another_name(engine: Engine, copy: PlacementRow, reads: Reads) -> Wrong | None:
    vouched = Vouched.SERVER if engine.store(copy.tier).must_thaw else Vouched.READ  # as ``whole`` compares them
    found = _renamed(engine, copy, lambda: whole(engine, copy, reads=reads), vouched=vouched)
    return found if isinstance(found, Wrong) else None


def whole(engine: Engine, copy: PlacementRow, *, reads: Reads) -> Wrong | Read:
    """Compare all bytes of a copy by no pin: read within ``reads``, or where it must be thawed by its server's SHA-256.

    Raises as ``check`` does; StoreTransient where the SHA-256 was never noted, and Unread where the server of what must
    be thawed tells none.
    """
    form = opener.unpinned(copy.form)
    noted = opener.noted(form, tier=copy.tier)
    store, at = engine.store(copy.tier), time.monotonic()
    if not store.must_thaw:
        return check(engine, copy, noted, pinned=False, progressed=reads.begun(copy))
    try:
        found = store.head(key_of(form))
    except ObjectNotFound as error:
        return Wrong(str(error), missing=True, at=at)
    if told := form.difference(size=found.size, sha256=found.sha256):
        return Wrong(told, missing=False, at=at)
    if found.sha256 is None:
        raise Unread(tier=copy.tier, location=copy.location)
    return Read(found.sha256, found.pin)
