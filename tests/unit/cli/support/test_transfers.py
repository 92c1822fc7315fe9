"""What is told of many files, and of the bytes of a large one."""

import io
from typing import BinaryIO, cast

import pytest

from tierkeeper.cli.support import transfers
from tierkeeper.cli.support.output import Output
from tierkeeper_client.digest import digest_of


class Pipe(io.BytesIO):
    """What cannot be read twice."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("options", [{}, {"quiet": True}, {"as_json": True}])
def test_how_far_it_came_is_kept(options: dict[str, bool]) -> None:
    """Whoever stops the command reads it, also where nothing is shown meanwhile."""
    out = Output(**options)
    with transfers.progress(out, "sending", items=3, size=20) as advance:
        advance(2, 15)
    assert out.reached == "sending: 2 of 3 files, 15 B of 20 B"


def test_bytes_are_told_once_while_they_are_written() -> None:
    """The pass for the hash is not told, that into the stores is, a second store's is not."""
    told: list[int] = []
    file = io.BytesIO(b"--" + b"x" * 1000)
    file.seek(2)
    counted = cast("BinaryIO", transfers.Counted(file, told.append))
    assert (digest_of(counted).size, told) == (1000, [])
    for _store in range(2):
        counted.seek(2)
        while counted.read(300):
            pass
    assert told == [300, 300, 300, 100]


def test_what_is_read_once_is_told_as_it_is_read() -> None:
    """A pipe has one pass."""
    told: list[int] = []
    assert transfers.Counted(Pipe(b"x" * 10), told.append).read() == b"x" * 10
    assert told == [10]


def test_a_file_is_closed_by_who_opened_it() -> None:
    """In a block of its own the file is closed too; standard input is not when the counting is dropped."""
    given, own = io.BytesIO(), io.BytesIO()
    transfers.Counted(given, print)
    with transfers.Counted(own, print):
        pass
    assert (given.closed, own.closed) == (False, True)
