"""Streams between stores: chunks as a file, and a file whose reads are noticed."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO


class Chunks(io.RawIOBase):
    """An iterator of chunks as a stream that can be read once, never more than a chunk in memory."""

    def __init__(self, chunks: Iterator[bytes], *, progressed: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._chunks = chunks
        self._progressed = progressed
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all that are left for -1; empty at the end."""
        if size < 0:
            return self._rest + b"".join(self._chunks)
        if not self._rest:
            self._rest = next(self._chunks, b"")
            if self._progressed is not None:
                self._progressed()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Noted(io.RawIOBase):
    """A seekable file whose reads are noticed."""

    def __init__(self, file: BinaryIO, progressed: Callable[[], None]) -> None:
        super().__init__()
        self._file, self._progressed = file, progressed

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read, and tell of it."""
        self._progressed()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()
