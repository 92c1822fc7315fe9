"""Content, and the form in which a copy of it is stored.

Content is what users gave: bytes known by their SHA-256 and size. A stored form says which bytes lie in a store for one
copy of it, and how content comes out of them. The plain form is the content itself, as a whole object. Whoever compares
what a store has uses the form; whoever compares what a reader gets uses the content.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes, by their SHA-256 (32 bytes) and their size in bytes."""

    sha256: bytes
    size: int

    def difference(self, *, sha256: bytes | None, size: int | None = None) -> str:
        """Return in words how bytes with these values differ from the content; empty where they do not.

        What is None is not compared.
        """
        return _difference(self.size, self.sha256, size=size, sha256=sha256)


@dataclass(frozen=True, slots=True)
class Encoding:
    """What was done to content before it was stored; by default nothing. A copy has that of its source (R6)."""

    cipher: str | None = None
    wrapped_key: bytes | None = None
    key_id: str | None = None
    compression: str | None = None


#: the bytes that are stored are the content
PLAIN: Final = Encoding()


@dataclass(frozen=True, slots=True)
class StoredForm:
    """Which bytes of a store are a copy: those of an object from ``offset`` on, as they were encoded.

    ``version`` is the store's id of the object's version, ``pin`` names its bytes and no others (R16). ``size`` (in
    bytes) and ``sha256`` are those of the stored bytes, None where they were never noted. ``length`` None: to the end.
    """

    location: str
    version: str | None = None
    pin: str | None = None
    size: int | None = None
    sha256: bytes | None = None
    encoding: Encoding = PLAIN
    offset: int = 0
    length: int | None = None

    @property
    def whole(self) -> bool:
        """Whether the copy is an object of its own, not a part of one."""
        return self.offset == 0 and self.length is None

    def difference(self, *, sha256: bytes | None, size: int | None = None) -> str:
        """Return in words how what a store tells of the stored bytes differs from what was noted; empty: it does not.

        What is None, or was never noted, is not compared.
        """
        return _difference(self.size, self.sha256, size=size, sha256=sha256)


def _difference(
    expected_size: int | None, expected_sha256: bytes | None, *, size: int | None, sha256: bytes | None
) -> str:
    if None not in {size, expected_size} and size != expected_size:
        return f"it has {size} bytes, not {expected_size}"
    if sha256 is not None and expected_sha256 is not None and sha256 != expected_sha256:
        return f"its SHA-256 is {sha256.hex()}, not {expected_sha256.hex()}"
    return ""
