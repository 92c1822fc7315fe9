"""Content on its way into a store: read in pieces, counted and hashed."""

from collections.abc import Iterator
from typing import BinaryIO

from tierkeeper.base.streams import Seekable
from tierkeeper.stores.base import ObjectInfo
from tierkeeper.stores.errors import ContentMismatch
from tierkeeper_client.digest import CHUNK, Digest


def require_announced(info: ObjectInfo, *, size: int, sha256: bytes | None, tier: str, location: str) -> None:
    """Raise ContentMismatch unless the bytes read have the announced size and SHA-256; None: SHA-256 not known."""
    if size > info.size:
        reason = f"there are more than the announced {info.size} bytes"
    elif size < info.size:
        reason = f"there are {size} bytes of the announced {info.size}"
    elif sha256 not in {None, info.sha256}:
        reason = f"their SHA-256 is {sha256.hex()}, not {info.sha256.hex()}"
    else:
        return
    raise ContentMismatch(tier=tier, location=location, reason=reason)


def read_exactly(content: BinaryIO, size: int) -> bytes:
    """Return ``size`` bytes, or fewer at the end, with as many reads as a raw stream needs."""
    pieces = []
    while size and (piece := content.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def pieces_of(content: BinaryIO, limit: int, *, chunk: int = CHUNK) -> Iterator[bytes]:
    """Yield pieces of ``chunk`` bytes, at most one byte beyond ``limit``: enough to detect a longer stream."""
    left = limit + 1
    while left and (piece := read_exactly(content, min(chunk, left))):
        left -= len(piece)
        yield piece


class Announced(Seekable):
    """A file over the announced bytes of a seekable stream, from its current position, that checks them as it is read.

    A stream that ends early, is longer, or has another SHA-256 raises ContentMismatch instead of its last piece, so
    that it is never sent whole. HTTP clients rewind a body to its beginning to send it again, and wrap what reading
    raises: ``failure`` has the original error. ``hashed`` False: the receiver compares the SHA-256.
    """

    def __init__(self, content: BinaryIO, info: ObjectInfo, *, tier: str, location: str, hashed: bool) -> None:
        super().__init__(info.size)
        self._content, self._start, self._info = content, content.tell(), info
        self._tier, self._location, self._hashed = tier, location, hashed
        self._digest = Digest()
        self.failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all remaining ones for -1; ValueError where hashed bytes were skipped."""
        remaining = max(0, self._info.size - self._at)
        try:
            return self._checked(remaining if size < 0 else min(size, remaining)) if remaining else b""
        except Exception as error:
            self.failure = error
            raise

    def _checked(self, wanted: int) -> bytes:
        if self._at == 0:
            self._digest, self.failure = Digest(), None
        self._content.seek(self._start + self._at)
        piece = read_exactly(self._content, wanted)
        end = self._at + len(piece)
        if self._hashed:
            if self._digest.size != self._at:
                raise ValueError(self._at)
            self._digest.add(piece)
        if end == self._info.size or len(piece) < wanted:
            more = len(self._content.read(1)) if end == self._info.size else 0
            sha256 = self._digest.sha256 if self._hashed else None
            require_announced(self._info, size=end + more, sha256=sha256, tier=self._tier, location=self._location)
        self._at = end
        return piece
