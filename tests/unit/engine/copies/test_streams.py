"""Objects and chunks as files."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tierkeeper.engine.copies.streams import Reopened


class Object:
    """Bytes that can be opened from an offset on; ``opened`` are the offsets, ``closed`` how many were closed.

    The first chunk of the opening that is numbered ``fails`` is an error.
    """

    def __init__(self, content: bytes, *, fails: int = 0) -> None:
        self.content, self._fails = content, fails
        self.opened: list[int] = []
        self.closed = 0

    @contextmanager
    def open(self, offset: int) -> Iterator[Iterator[bytes]]:
        """Open it, three bytes a chunk."""
        self.opened.append(offset)
        try:
            yield self._chunks(offset)
        finally:
            self.closed += 1

    def _chunks(self, offset: int) -> Iterator[bytes]:
        if len(self.opened) == self._fails:
            raise ConnectionError
        for at in range(offset, len(self.content), 3):
            yield self.content[at : at + 3]


def test_an_object_is_opened_where_it_is_read() -> None:
    """It is opened when it is read, again only where it was moved, and closed at its end."""
    source = Object(b"0123456789")
    file = Reopened(source.open, 10)
    assert (source.opened, file.seekable(), file.readable()) == ([], True, True)
    assert file.read(2) + file.read(2) == b"012"
    assert file.seek(file.tell()) == 3
    assert (file.read(3), source.opened, source.closed) == (b"345", [0], 0)
    file.seek(0)
    assert (file.read(), file.read(1)) == (b"0123456789", b"")
    assert (source.opened, source.closed) == ([0, 0], 2)
    file.seek(-4, io.SEEK_END)
    assert (file.read(), source.opened) == (b"6789", [0, 0, 6])
    file.seek(-5, io.SEEK_CUR)
    assert file.read(1) == b"5"
    file.close()
    assert source.closed == len(source.opened) == 4


def test_an_error_is_no_end() -> None:
    """What failed at its first chunk is opened again when it is read again, from the same place."""
    source = Object(b"0123", fails=1)
    file = Reopened(source.open, 4)
    with pytest.raises(ConnectionError):
        file.read(1)
    file.seek(0)
    assert file.read() == b"0123"
    assert (source.opened, source.closed) == ([0, 0], 1)
    file.close()
