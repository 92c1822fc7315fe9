"""Streams between stores: chunks as a file, an object as a seekable file, and a file that reports its reads."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import BinaryIO

from tierkeeper.base.streams import Readable, Seekable


class Chunks(Readable):
    """An iterator of chunks as a stream that can be read once; holds at most one chunk in memory."""

    def __init__(self, chunks: Iterator[bytes], *, progressed: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._chunks = chunks
        self._progressed = progressed
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all remaining ones for -1; empty at the end."""
        if size < 0:
            return self._rest + b"".join(self._chunks)
        if not self._rest:
            self._rest = next(self._chunks, b"")
            if self._progressed is not None:
                self._progressed()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Reopened(Seekable):
    """An object as a seekable file that holds at most one chunk; after a seek the object is opened again from there.

    ``opening`` opens the object from an offset in bytes on; ``size``: its bytes, as an earlier read counted them.
    """

    def __init__(self, opening: Callable[[int], AbstractContextManager[Iterator[bytes]]], size: int) -> None:
        super().__init__(size)
        self._opening = opening
        self._stream: Chunks | None = None
        self._stack = ExitStack()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all remaining ones for -1; raises what the store raises."""
        if self._stream is None:
            if self._at >= self._size:
                return b""
            self._stream = Chunks(self._stack.enter_context(self._opening(self._at)))
        try:
            piece = self._stream.read(size)
        except BaseException:  # a reader that tries again gets a new opening at this position, not an early end
            self._release()
            raise
        self._at += len(piece)
        if not piece:
            self._release()
        return piece

    def close(self) -> None:
        """Close the stream and the object."""
        self._release()
        super().close()

    def _moved(self) -> None:
        self._release()  # the object is opened at the next read

    def _release(self) -> None:
        self._stream = None
        self._stack.close()


class Noted(Readable):
    """A file that calls ``progressed`` before each read."""

    def __init__(self, file: BinaryIO, progressed: Callable[[], None]) -> None:
        super().__init__()
        self._file, self._progressed = file, progressed

    def seekable(self) -> bool:
        """Return whether the file is."""
        return self._file.seekable()

    def read(self, size: int = -1) -> bytes:
        """Report progress, then read."""
        self._progressed()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()
