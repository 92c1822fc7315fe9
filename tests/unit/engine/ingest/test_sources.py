"""Whose error it is when content cannot be read or spooled."""

import errno
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from tierkeeper.engine.ingest import sources
from tierkeeper.settings.settings import Settings
from tierkeeper_client.contract import InlineContent, StoreArgs
from tierkeeper_client.errors import InvalidInput

ARGS = StoreArgs(tenant="acme", workflow="w", name="a", content=InlineContent.of(b""))


class Failing(io.BytesIO):
    """A file on a device that fails at the read of this number."""

    def __init__(self, at: int, *, rewinds: bool) -> None:
        super().__init__(b"content")
        self._left, self._rewinds = at, rewinds

    def seekable(self) -> bool:
        return self._rewinds

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left == 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@contextmanager
def opened(folder: Path, given: BinaryIO) -> Iterator[sources.Body]:
    """The content of one store that was given as a file."""
    with sources.opened(Settings.model_validate({"home": folder}), ARGS, given) as body:
        yield body


@pytest.mark.parametrize(("at", "rewinds"), [(1, True), (1, False), (3, True)])
def test_a_source_that_cannot_be_read_is_invalid_input(tmp_path: Path, at: int, *, rewinds: bool) -> None:
    """In the pass that hashes, while it is spooled, and in the pass that writes: never an OSError of a store."""
    with (
        pytest.raises(InvalidInput, match=r"acme/w/a.*Input/output error"),
        opened(tmp_path, Failing(at, rewinds=rewinds)) as body,
    ):
        body.file.read()


def test_a_spool_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the folder of temporary files, also where the file's end fails once more."""

    class Full(io.BytesIO):
        def write(self, _piece: object, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            super().close()
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda **_options: Full())
    with (
        pytest.raises(OSError, match=tempfile.gettempdir()),
        opened(tmp_path, cast("BinaryIO", Failing(9, rewinds=False))),
    ):
        pass


def test_a_file_that_grows_faster_than_it_is_read_ends(tmp_path: Path) -> None:
    """What is appended while it is read is in neither pass."""

    class Growing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            place = self.tell()
            self.seek(0, io.SEEK_END)
            self.write(b"more")
            self.seek(place)
            if place > 1024:
                raise AssertionError("it is read for ever")
            return piece

    with opened(tmp_path, Growing(b"content")) as body:
        assert (body.size, body.file.read(), body.file.read()) == (7, b"content", b"")


def test_a_file_that_says_it_is_empty_is_read(tmp_path: Path) -> None:
    """Files that the system makes up as they are read have a size of 0, and some refuse to be asked for their end."""

    class MadeUp(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            if whence == io.SEEK_END:
                raise OSError(errno.EINVAL, "Invalid argument")
            return super().seek(offset, whence)

    with opened(tmp_path, MadeUp(b"content")) as body:
        assert body.file.read() == b"content"
    with Path("/proc/self/cmdline").open("rb") as file, opened(tmp_path, file) as body:
        assert body.size > 0
