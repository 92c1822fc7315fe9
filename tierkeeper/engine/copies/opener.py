"""The one opener of copies: from a stored form to the stored bytes, or to the content that they encode.

Reading, checking, vouching, transfer, adoption, reconcile and rebuild open copies only through this module. Files of a
dump are no copies: a rebuild opens them itself, and only their check right after the dump uses :func:`read`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tierkeeper.base.content import PLAIN, Content, StoredForm
from tierkeeper.stores.base import ObjectKey, Pieces, Store, pin_of
from tierkeeper.stores.errors import FormUnknown, StoreTransient
from tierkeeper_client.digest import Digest


@dataclass(frozen=True, slots=True)
class Read:
    """What a read of one copy gave: the SHA-256 of its stored bytes, and the pin of that very answer, if any (R16)."""

    sha256: bytes
    pin: str | None


def key_of(form: StoredForm) -> ObjectKey:
    """Return the key of exactly the object that a form describes, with its pin where that is known (R16)."""
    return ObjectKey(form.location, form.version, form.pin)


def unpinned(form: StoredForm) -> StoredForm:
    """Return the form without its pin: it then describes whatever bytes are at its location."""
    return replace(form, pin=None)


def noted(form: StoredForm, *, tier: str) -> Content:
    """Return the recorded SHA-256 and size of the stored bytes; StoreTransient where they were never recorded."""
    if form.sha256 is None or form.size is None:
        raise StoreTransient(tier=tier, reason=f"the SHA-256 of {form.location} was never noted")
    return Content(form.sha256, form.size)


def expected(form: StoredForm, content: Content, *, tier: str) -> Content:
    """Return the SHA-256 and size that the stored bytes of a copy of ``content`` should have: comparing needs no key.

    Raises StoreTransient where the bytes are encoded and theirs were never recorded.
    """
    return content if form.encoding == PLAIN else noted(form, tier=tier)


@contextmanager
def open_stored(store: Store, form: StoredForm, *, offset: int = 0, length: int | None = None) -> Iterator[Pieces]:
    """Open the stored bytes of a copy, undecoded; or ``length`` of them from ``offset`` on. Raises as Store.open."""
    if form.length is not None:
        remaining = max(0, form.length - offset)
        length = remaining if length is None else min(remaining, length)
    with store.open(key_of(form), offset=form.offset + offset, length=length) as pieces:
        yield Pieces(pieces, pin_of(pieces))


@contextmanager
def content(store: Store, form: StoredForm, *, offset: int = 0, length: int | None = None) -> Iterator[Pieces]:
    """Open the content of a copy, or ``length`` bytes of it from ``offset`` on. Raises as Store.open, and FormUnknown.

    The bytes are not compared with anything; :func:`verified` does that.
    """
    if form.encoding != PLAIN:
        known = form.encoding
        how = ", ".join(f"{name} {value}" for name in ("cipher", "compression") if (value := getattr(known, name)))
        raise FormUnknown(tier=store.config.tier, location=form.location, form=how or f"key {known.key_id}")
    with open_stored(store, form, offset=offset, length=length) as pieces:
        yield pieces


def read(store: Store, form: StoredForm, *, progressed: Callable[[], None] = lambda: None) -> Read:
    """Read all stored bytes of a copy, calling ``progressed`` after each piece. Raises as Store.open."""
    digest = Digest()
    with open_stored(store, form) as pieces:
        for piece in pieces:
            digest.add(piece)
            progressed()
        return Read(digest.sha256, pieces.pin)


def verified(pieces: Iterator[bytes], judge: Callable[[bytes], None]) -> Iterator[bytes]:
    """Yield the pieces; call ``judge`` with the SHA-256 of all of them before the last one is yielded.

    ``judge`` raises where that is not the content's, so no reader ever gets all bytes of other content.
    """
    digest, last = Digest(), b""
    for piece in pieces:
        if last:
            yield last
        digest.add(piece)
        last = piece
    judge(digest.sha256)
    yield last
