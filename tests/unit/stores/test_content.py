"""Content on its way into a store."""

import hashlib
import io
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tierkeeper.stores.base import ObjectInfo
from tierkeeper.stores.content import Announced, pieces_of, read_exactly, require_announced
from tierkeeper.stores.errors import ContentMismatch


def info(content: bytes) -> ObjectInfo:
    """Describe it."""
    digest = hashlib.sha256(content).digest()
    return ObjectInfo("t", "w", "n", 1, UUID(int=1), digest, len(content), datetime(2024, 1, 1, tzinfo=UTC))


def test_pieces_end_one_byte_beyond_the_limit() -> None:
    """A stream that never ends is read one byte further than announced, and no more."""
    content = io.BytesIO(bytes(100))
    assert [len(p) for p in pieces_of(content, 10, chunk=4)] == [4, 4, 3]
    assert content.tell() == 11
    assert [len(p) for p in pieces_of(io.BytesIO(bytes(3)), 10, chunk=4)] == [3]
    assert read_exactly(io.BytesIO(b"abc"), 10) == b"abc"


WRONG = [
    (b"abcd", "more than the announced 3 bytes"),
    (b"ab", "2 bytes of the announced 3"),
    (b"abd", "their SHA-256 is"),
]


@pytest.mark.parametrize(("given", "reason"), WRONG)
def test_what_was_not_announced_is_refused_in_words(given: bytes, reason: str) -> None:
    """Too many bytes, too few and other bytes are told apart."""
    sha256 = hashlib.sha256(given).digest()
    with pytest.raises(ContentMismatch, match=reason):
        require_announced(info(b"abc"), size=len(given), sha256=sha256, tier="hot", location="x")


def announced(content: io.BytesIO, expected: bytes, *, hashed: bool = True) -> Announced:
    """Read ``content`` as what was announced as ``expected``."""
    return Announced(content, info(expected), tier="hot", location="x", hashed=hashed)


@pytest.mark.parametrize(("given", "reason"), WRONG)
def test_the_last_piece_of_what_was_not_announced_is_not_given(given: bytes, reason: str) -> None:
    """Who reads gets the pieces before it, and then the error instead of the last one, which is kept as the failure."""
    body = announced(io.BytesIO(given), b"abc")
    assert body.read(1) == b"a"
    with pytest.raises(ContentMismatch, match=reason) as raised:
        body.read()
    assert body.failure is raised.value


@pytest.mark.parametrize("given", [b"abcd", b"ab"])
def test_sizes_are_compared_where_another_hashes(given: bytes) -> None:
    """Where the SHA-256 is the server's matter, a body of another size is refused all the same."""
    with pytest.raises(ContentMismatch):
        announced(io.BytesIO(given), b"abc", hashed=False).read()
    other = announced(io.BytesIO(b"abd"), b"abc", hashed=False)
    assert other.read() == b"abd"


def test_a_body_begins_where_the_file_stood() -> None:
    """A body is a file of its own: its beginning is the place where the other one stood, its end is its size."""
    content = io.BytesIO(b"0123456")
    content.seek(3)
    body = announced(content, b"3456")
    assert (body.seek(0, io.SEEK_END), body.tell(), body.seek(-4, io.SEEK_CUR)) == (4, 4, 0)
    assert (body.read(), body.read(1), body.tell()) == (b"3456", b"", 4)
    assert body.seekable()
    assert body.readable()


def test_a_body_is_checked_anew_from_its_beginning() -> None:
    """A body that is rewound to be sent again is checked again; one that is read from its middle cannot be."""
    content = io.BytesIO(b"abc")
    body = announced(content, b"abc")
    assert body.read(2) == b"ab"
    body.seek(0)
    assert (body.read(2), body.read(2)) == (b"ab", b"c")
    content.getbuffer()[:] = b"abX"
    body.seek(0)
    with pytest.raises(ContentMismatch):
        body.read()
    content.getbuffer()[:] = b"abc"
    body.seek(0)
    assert (body.read(), body.failure) == (b"abc", None)
    body.seek(1)
    with pytest.raises(ValueError, match="1"):
        body.read()
