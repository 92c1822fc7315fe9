"""Content on its way into a store: read in pieces, measured and hashed."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from tierkeeper.stores.base import ObjectInfo
from tierkeeper.stores.errors import ContentMismatch
from tierkeeper_client.digest import CHUNK, Digest


def require_announced(digest: Digest, info: ObjectInfo, *, tier: str, location: str) -> bytes:
    """Return the SHA-256 of what was read; ContentMismatch unless it and the size are those announced."""
    found = digest.sha256
    if digest.size > info.size:
        reason = f"there are more than the announced {info.size} bytes"
    elif digest.size < info.size:
        reason = f"there are {digest.size} bytes of the announced {info.size}"
    elif found != info.sha256:
        reason = f"their SHA-256 is {found.hex()}, not {info.sha256.hex()}"
    else:
        return found
    raise ContentMismatch(tier=tier, location=location, reason=reason)


def read_exactly(content: BinaryIO, size: int) -> bytes:
    """Read up to ``size`` bytes, with as many calls as a raw stream needs."""
    pieces = []
    while size and (piece := content.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def pieces_of(content: BinaryIO, limit: int, *, chunk: int = CHUNK) -> Iterator[bytes]:
    """Read in pieces of ``chunk`` bytes, and at most one byte beyond ``limit``: enough to see that there is more."""
    left = limit + 1
    while left and (piece := read_exactly(content, min(chunk, left))):
        left -= len(piece)
        yield piece


class Window(io.RawIOBase):
    """``size`` bytes of a seekable stream from where it stands, as a file of its own.

    HTTP clients rewind a body to its very beginning when they send it again; that of the window is the right one.
    """

    def __init__(self, content: BinaryIO, size: int) -> None:
        super().__init__()
        self._content = content
        self._start = content.tell()
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the window."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the place within the window."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io's stub wants collections' Buffer, of 3.12
        """Fill ``buffer`` from the window."""
        wanted = min(len(buffer), max(0, self._size - self._at))
        self._content.seek(self._start + self._at)
        piece = self._content.read(wanted)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
