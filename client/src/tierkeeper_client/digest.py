"""The one streaming digest: SHA-256 always, and whatever else is asked for, in one pass over the bytes."""

import hashlib
from typing import BinaryIO, Final

SHA256: Final = "sha256"
CHUNK: Final = 1024 * 1024  # bytes read at a time


class Digest:
    """The size in bytes and the hashes of what was added so far.

    ``others``: names of :mod:`hashlib` beside SHA-256, of which :meth:`of` returns the hash. MD5 is one for ETags.
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
        """The SHA-256 of what was added."""
        return self.of(SHA256)

    def of(self, algorithm: str) -> bytes:
        """Return the hash by one of the algorithms; KeyError where it was not asked for."""
        return self._hashes[algorithm].digest()


def digest_of(file: BinaryIO) -> Digest:
    """Read a file from where it stands to its end, in pieces; return the digest of what came."""
    digest = Digest()
    while piece := file.read(CHUNK):
        digest.add(piece)
    return digest
