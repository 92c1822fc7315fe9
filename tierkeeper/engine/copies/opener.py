"""The one opener: from the stored form of a copy to its stored bytes, or to the content that they are.

Reading, checking, vouching, transfer, adoption, reconcile and rebuild open copies here and nowhere else.
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
    """What was read of one copy: the SHA-256 of its bytes, and the pin of that very answer, if it has one (R16)."""

    sha256: bytes
    pin: str | None


def key_of(form: StoredForm) -> ObjectKey:
    """Return what names exactly the object of a form, by its pin where that is known (R16)."""
    return ObjectKey(form.location, form.version, form.pin)


def unpinned(form: StoredForm) -> StoredForm:
    """Return the form without its pin: whatever bytes lie at its place."""
    return replace(form, pin=None)


def noted(form: StoredForm, *, tier: str) -> Content:
    """Return what the stored bytes of a form were noted to be; StoreTransient where that was never done."""
    if form.sha256 is None or form.size is None:
        raise StoreTransient(tier=tier, reason=f"the SHA-256 of {form.location} was never noted")
    return Content(form.sha256, form.size)


def expected(form: StoredForm, content: Content, *, tier: str) -> Content:
    """Return what the stored bytes of a copy of ``content`` should be: no key is needed to compare them."""
    return content if form.encoding == PLAIN else noted(form, tier=tier)


@contextmanager
def stored(store: Store, form: StoredForm, *, offset: int = 0, length: int | None = None) -> Iterator[Pieces]:
    """Open the stored bytes of a copy, as they are, or ``length`` of them from ``offset`` on. Raises as Store.open."""
    if form.length is not None:
        left = max(0, form.length - offset)
        length = left if length is None else min(left, length)
    with store.open(key_of(form), offset=form.offset + offset, length=length) as pieces:
        yield Pieces(pieces, pin_of(pieces))


@contextmanager
def content(store: Store, form: StoredForm, *, offset: int = 0, length: int | None = None) -> Iterator[Pieces]:
    """Open the content of a copy, or ``length`` bytes of it from ``offset`` on. Raises as Store.open, and FormUnknown.

    Nobody has compared these bytes; :func:`verified` does.
    """
    if form.encoding != PLAIN:
        known = form.encoding
        how = ", ".join(f"{name} {value}" for name in ("cipher", "compression") if (value := getattr(known, name)))
        raise FormUnknown(tier=store.config.tier, location=form.location, form=how or f"key {known.key_id}")
    with stored(store, form, offset=offset, length=length) as pieces:
        yield pieces


def read(store: Store, form: StoredForm, *, progressed: Callable[[], None] = lambda: None) -> Read:
    """Read all stored bytes of a copy, telling ``progressed`` of each piece; return what came. Raises as Store.open."""
    digest = Digest()
    with stored(store, form) as pieces:
        for piece in pieces:
            digest.add(piece)
            progressed()
        return Read(digest.sha256, pieces.pin)


def verified(pieces: Iterator[bytes], judge: Callable[[bytes], None]) -> Iterator[bytes]:
    """Give the pieces; ``judge`` gets the SHA-256 of all of them before the last one is given.

    It raises where that is not the content's, so no reader gets all bytes of anything else.
    """
    digest, last = Digest(), b""
    for piece in pieces:
        if last:
            yield last
        digest.add(piece)
        last = piece
    judge(digest.sha256)
    yield last
