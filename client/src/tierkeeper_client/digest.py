"""The one streaming digest: SHA-256 always, and other hashes on request, in one pass over the bytes."""

import hashlib
from typing import BinaryIO, Final

SHA256: Final = "sha256"
CHUNK: Final = 1024 * 1024  # bytes read at a time


class Digest:
    """The size in bytes and the hashes of the bytes added so far.

    ``others``: names of :mod:`hashlib` algorithms beside SHA-256 (MD5 for ETags); :meth:`of` returns their hashes.
    """

    def __init__(self, *others: str) -> None:
        self.size = 0
        names = dict.fromkeys((SHA256, *others))
        self._hashes = {name: hashlib.new(name, usedforsecurity=name == SHA256) for name in names}

    def add(self, piece: bytes) -> None:
        """Count and hash ``piece``."""
        self.size += len(piece)
        for each in self._hashes.values():
            each.update(piece)

    @property
    def sha256(self) -> bytes:
        """The SHA-256 (32 bytes) of the bytes added so far."""
        return self.of(SHA256)

    def of(self, algorithm: str) -> bytes:
        """Return the hash by one of the algorithms. Raises KeyError for one that was not requested."""
        return self._hashes[algorithm].digest()


def digest_of(file: BinaryIO) -> Digest:
    """Read a file in pieces from its current position to its end; return the digest of these bytes."""
    digest = Digest()
    while piece := file.read(CHUNK):
        digest.add(piece)
    return digest
