"""Objects and chunks as files."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from tierkeeper.engine.streams import Reopened


class Object:
    """Bytes that can be opened from an offset on; ``opened`` are the offsets, ``closed`` how many were closed."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened: list[int] = []
        self.closed = 0

    @contextmanager
    def open(self, offset: int) -> Iterator[Iterator[bytes]]:
        """Open it, three bytes a chunk."""
        self.opened.append(offset)
        try:
            yield (self.content[at : at + 3] for at in range(offset, len(self.content), 3))
        finally:
            self.closed += 1


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
