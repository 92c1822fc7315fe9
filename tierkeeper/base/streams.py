"""The base classes of streams that are read only: once through, or from any position."""

import io


class Readable(io.RawIOBase):
    """A stream that can be read."""

    def readable(self) -> bool:
        """True."""
        return True


class Seekable(Readable):
    """A stream of ``size`` bytes that keeps its position in ``_at``; ``read`` moves that on."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._at = 0

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in bytes and return it; one before the beginning is the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        before, self._at = self._at, max(0, base + offset)
        if self._at != before:
            self._moved()
        return self._at

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def _moved(self) -> None:
        """The next read is at another position than where the last one ended."""
