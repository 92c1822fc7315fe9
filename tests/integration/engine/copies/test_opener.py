"""The one opener, on the stores that have forms: a folder, an S3 server, a database."""

import hashlib

import pytest
from support.s3_answers import KEYS
from support.stored_objects import MakeStore, put

from tierkeeper.base.content import Content, Encoding, StoredForm
from tierkeeper.engine.copies import opener
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import FormUnknown, ObjectNotFound, StoreTransient

BYTES = b"0123456789"


@pytest.fixture(params=["folder", "s3", "database"])
def store(request: pytest.FixtureRequest, make_store: MakeStore) -> Store:
    """A store of each kind."""
    if request.param == "folder":
        return make_store(request.getfixturevalue("tmp_path").as_uri())
    if request.param == "s3":
        return make_store(f"s3://tk-opener?endpoint={request.getfixturevalue('moto_endpoint')}&{KEYS}")
    return make_store("postgres:", catalog_url=request.getfixturevalue("postgres_url"))


@pytest.fixture
def form(store: Store) -> StoredForm:
    """An object of ten bytes, as the plain form of its content."""
    key, info, stored = put(store, BYTES)
    return StoredForm(key.location, key.version, stored.pin, stored.size, info.sha256)


def content(store: Store, form: StoredForm, *, offset: int = 0, length: int | None = None) -> bytes:
    """Read the content of a form, or a part of it."""
    with opener.content(store, form, offset=offset, length=length) as pieces:
        return b"".join(pieces)


def test_the_plain_form_is_read_whole_and_in_part(store: Store, form: StoredForm) -> None:
    """The plain form gives all bytes of its object, or those of a range; a read of all tells their hash and pin."""
    assert content(store, form) == BYTES
    assert content(store, form, offset=3, length=4) == b"3456"
    assert content(store, form, offset=8) == b"89"
    asked: list[None] = []
    read = opener.read(store, form, progressed=lambda: asked.append(None))
    assert (read.sha256, read.pin) == (hashlib.sha256(BYTES).digest(), form.pin)
    assert asked == [None]


def test_a_part_of_an_object_is_a_form(store: Store, form: StoredForm) -> None:
    """A copy inside of an object is read from its offset on, and never beyond its length."""
    part = StoredForm(form.location, form.version, form.pin, offset=2, length=5)
    assert content(store, part) == b"23456"
    assert content(store, part, offset=1, length=2) == b"34"
    assert content(store, part, offset=4, length=9) == b"6"
    assert content(store, part, offset=5) == b""
    assert opener.read(store, part).sha256 == hashlib.sha256(b"23456").digest()


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        (Encoding(cipher="aes"), "cipher aes"),
        (Encoding(compression="zstd"), "compression zstd"),
        (Encoding(key_id="k1"), "key k1"),
    ],
)
def test_an_encoding_that_is_not_known_gives_no_content(
    store: Store, form: StoredForm, encoding: Encoding, told: str
) -> None:
    """What was encoded in a way that this release does not know is not content; its stored bytes are read."""
    sealed = StoredForm(form.location, form.version, form.pin, form.size, form.sha256, encoding)
    with pytest.raises(FormUnknown, match=told), opener.content(store, sealed):
        pass
    assert opener.read(store, sealed).sha256 == form.sha256


def test_what_is_missing_is_told_on_opening(store: Store, form: StoredForm) -> None:
    """An object that is gone is told as the store tells it."""
    store.delete([ObjectKey(form.location)])
    with pytest.raises(ObjectNotFound), opener.content(store, form):
        pass


def test_stored_bytes_are_compared_with_what_they_should_be() -> None:
    """The plain form is the content; of any other what was noted is compared, and nothing where nothing was."""
    wanted, noted = Content(bytes(32), 5), Content(b"n" * 32, 7)
    plain = StoredForm("x", size=noted.size, sha256=noted.sha256)
    sealed = StoredForm("x", size=noted.size, sha256=noted.sha256, encoding=Encoding(cipher="aes"))
    assert opener.expected(plain, wanted, tier="hot") == wanted
    assert opener.expected(sealed, wanted, tier="hot") == noted
    with pytest.raises(StoreTransient, match="the SHA-256 of x was never noted"):
        opener.expected(StoredForm("x", encoding=Encoding(cipher="aes")), wanted, tier="hot")


def test_the_last_piece_comes_after_the_judgement() -> None:
    """Pieces are given as they come, but for the last one, which waits for the judge of all."""
    judged: list[bytes] = []
    pieces = opener.verified(iter([b"0123", b"456", b"789"]), judged.append)
    assert (next(pieces), next(pieces), judged) == (b"0123", b"456", [])
    assert (list(pieces), judged) == ([b"789"], [hashlib.sha256(BYTES).digest()])
