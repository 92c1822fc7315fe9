"""Content on its way into a store."""

import hashlib
import io
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tierkeeper.stores.base import ObjectInfo
from tierkeeper.stores.content import Window, pieces_of, read_exactly, require_announced
from tierkeeper.stores.errors import ContentMismatch
from tierkeeper_client.digest import Digest


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


@pytest.mark.parametrize(
    ("given", "reason"),
    [(b"abcd", "more than the announced 3 bytes"), (b"ab", "2 bytes of the announced 3"), (b"abd", "their SHA-256 is")],
)
def test_a_digest_says_what_is_wrong(given: bytes, reason: str) -> None:
    """Too many bytes, too few and other bytes are told apart."""
    digest = Digest()
    digest.add(given)
    with pytest.raises(ContentMismatch, match=reason):
        require_announced(digest, info(b"abc"), tier="hot", location="x")


def test_a_window_begins_where_the_file_stood() -> None:
    """A window is a file of its own: its beginning is the place where the other one stood, its end is its size."""
    content = io.BytesIO(b"0123456789")
    content.seek(3)
    window = Window(content, 4)
    assert (window.read(), window.tell()) == (b"3456", 4)
    assert window.seek(0) == 0
    assert window.read(2) == b"34"
    assert window.seek(-1, io.SEEK_END) == 3
    assert window.read(100) == b"6"
    assert window.read(1) == b""
    assert window.seek(-2, io.SEEK_CUR) == 2
    assert window.seekable()
    assert window.readable()
