"""Positions of a seekable stream."""

import io

import pytest

from tierkeeper.base.streams import Readable, Seekable


class Moves(Seekable):
    """A stream of ten bytes that counts how often it was moved."""

    count = 0

    def _moved(self) -> None:
        self.count += 1


@pytest.mark.parametrize(
    ("offset", "whence", "position"),
    [
        (4, io.SEEK_SET, 4),
        (2, io.SEEK_CUR, 5),
        (-2, io.SEEK_CUR, 1),
        (-1, io.SEEK_END, 9),
        (0, io.SEEK_END, 10),
        (-5, io.SEEK_SET, 0),
        (-99, io.SEEK_END, 0),
        (5, io.SEEK_END, 15),
    ],
)
def test_seek(offset: int, whence: int, position: int) -> None:
    """A position counts from the beginning, the present one or the end, and is never before the beginning."""
    stream = Seekable(10)
    stream.seek(3)
    assert (stream.seek(offset, whence), stream.tell()) == (position, position)


def test_only_another_position_is_a_move() -> None:
    """A client that asks for the size and comes back where it was may cost two moves, and a seek in place none."""
    stream = Moves(10)
    stream.seek(0)
    stream.seek(0, io.SEEK_CUR)
    assert stream.count == 0
    stream.seek(0, io.SEEK_END)
    stream.seek(0)
    assert stream.count == 2


def test_what_a_stream_can() -> None:
    """Each is read; only the one with positions can be moved; none is written."""
    assert (Readable().readable(), Readable().seekable(), Readable().writable()) == (True, False, False)
    assert (Seekable(1).readable(), Seekable(1).seekable(), Seekable(1).writable()) == (True, True, False)
