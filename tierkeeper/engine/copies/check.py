"""Checks of one copy: whether it is at its location, and its bytes are right."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tierkeeper.base.content import Content
from tierkeeper.base.states import Vouched
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.context import Engine
from tierkeeper.engine.copies import opener, pins
from tierkeeper.engine.copies.opener import Read, key_of
from tierkeeper.engine.copies.read_budget import Reads, Unread
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreTransient, Unnamed


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a copy: its object is ``missing``, or has other bytes.

    ``at``: when the check began, by ``time.monotonic``.
    """

    reason: str
    missing: bool
    at: float = field(default_factory=time.monotonic)

    @property
    def ago(self) -> float:
        """Seconds since the check began."""
        return time.monotonic() - self.at


def check(
    engine: Engine,
    copy: PlacementRow,
    content: Content,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
) -> Wrong | Read:
    """Read a whole copy and compare its SHA-256; return what was read, or what is wrong with the copy.

    Where the store refuses a pin that is an ETag, the copy is read again without it: right bytes get the pin of that
    read, others are Wrong. With ``pinned`` false the copy is read without its pin from the start, to detect that its
    right bytes are back.
    Raises what the store raises, except for a missing object and bytes that do not match, which are results;
    StoreTransient where the bytes are right under another pin that could not be recorded.
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
    difference = wanted.difference(sha256=read.sha256)
    return Wrong(difference, missing=False, at=at) if difference else read


def confirmed(
    engine: Engine,
    copy: PlacementRow,
    content: Content,
    *,
    pinned: bool = True,
    progressed: Callable[[], None] = lambda: None,
) -> Wrong | Read:
    """Check a copy, and once more if it seems wrong: a store may err once, and a damaged copy serves no more reads."""
    first = check(engine, copy, content, pinned=pinned, progressed=progressed)
    return first if isinstance(first, Read) else check(engine, copy, content, pinned=pinned, progressed=progressed)


def _is_named_by_etag(copy: PlacementRow) -> bool:
    """Return True if the pin is an ETag, which may change while the bytes stay; the bytes of a version id never do."""
    return copy.pin not in {None, copy.store_version}


def _renamed(
    engine: Engine, copy: PlacementRow, compare: Callable[[], Wrong | Read], *, vouched: Vouched
) -> Wrong | Read:
    """Call ``compare``, which uses no pin; record the pin of right bytes and return them without it, else the Wrong.

    Raises StoreTransient where the bytes are right but say nothing of this copy: the place was not confirmed to be the
    tier's own, or the copy is damaged or being deleted.
    """
    result = compare()
    if isinstance(result, Wrong):
        return result
    if not pins.note(engine, copy, pin=result.pin, vouched=vouched):
        reason = f"the bytes of {copy.location} are right under another name, which could not be noted"
        raise StoreTransient(tier=copy.tier, reason=reason)
    return replace(result, pin=None)


def by_head(engine: Engine, copy: PlacementRow, *, reads: Reads | None) -> Wrong | None:
    """Query the object at a copy's location by its pin, with a HEAD; return what is wrong with it, if anything.

    Where the pin is refused or cannot be checked, :func:`whole` compares the bytes within the time of ``reads``. Right
    bytes get the pin of that comparison, or none if it has none: they were not seen under the pin of ``copy``. Without
    ``reads`` nothing is read or recorded. Raises as :func:`check` does; StoreTransient where the SHA-256 was never
    recorded.
    """
    at = time.monotonic()
    try:
        head = engine.store(copy.tier).head(key_of(copy.form))
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
    difference = copy.form.difference(size=head.size, sha256=head.sha256)
    return Wrong(difference, missing=False, at=at) if difference else None


def _whole_by_another_name(engine: Engine, copy: PlacementRow, reads: Reads) -> Wrong | None:
    vouched = Vouched.SERVER if engine.store(copy.tier).must_thaw else Vouched.READ  # as ``whole`` compares the bytes
    result = _renamed(engine, copy, lambda: whole(engine, copy, reads=reads), vouched=vouched)
    return result if isinstance(result, Wrong) else None


def whole(engine: Engine, copy: PlacementRow, *, reads: Reads) -> Wrong | Read:
    """Compare all bytes of a copy without its pin: read within ``reads``, or by the server's SHA-256 if a read thaws.

    Raises as :func:`check` does; StoreTransient where the SHA-256 was never recorded, and Unread where the copy would
    have to be thawed and its server reports no SHA-256.
    """
    form = opener.unpinned(copy.form)
    noted = opener.noted(form, tier=copy.tier)
    store, at = engine.store(copy.tier), time.monotonic()
    if not store.must_thaw:
        return check(engine, copy, noted, pinned=False, progressed=reads.begun(copy))
    try:
        head = store.head(key_of(form))
    except ObjectNotFound as error:
        return Wrong(str(error), missing=True, at=at)
    if difference := form.difference(size=head.size, sha256=head.sha256):
        return Wrong(difference, missing=False, at=at)
    if head.sha256 is None:
        raise Unread(tier=copy.tier, location=copy.location)
    return Read(head.sha256, head.pin)
