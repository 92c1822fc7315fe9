"""Content, and the form in which a copy of it is stored.

Content is what users gave: bytes known by their SHA-256 and size. A stored form says which bytes lie in a store for one
copy of it, and how they decode to the content. The plain form is the content itself, as a whole object. A check of a
store compares with the form; a check of the bytes that a reader gets compares with the content.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes, by their SHA-256 (32 bytes) and their size in bytes."""

    sha256: bytes
    size: int

    def difference(self, *, sha256: bytes | None, size: int | None = None) -> str:
        """Return in words how bytes with these values differ from the content; an empty string if they are equal.

        A value of None is not compared.
        """
        return _difference(self.size, self.sha256, size=size, sha256=sha256)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How content was encrypted and compressed before it was stored; by default not. A copy keeps its source's (R6)."""

    cipher: str | None = None
    wrapped_key: bytes | None = None
    key_id: str | None = None
    compression: str | None = None


#: the stored bytes are the content
PLAIN: Final = Encoding()


@dataclass(frozen=True, slots=True)
class StoredForm:
    """The bytes of a store that make one copy: an object's bytes from ``offset`` on, encoded as ``encoding`` says.

    ``version`` is the store's id of the object's version, ``pin`` names its bytes and no others (R16). ``size`` (in
    bytes) and ``sha256`` are those of the stored bytes, None if never recorded. ``length`` None: to the object's end.
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
        """True if the copy is a whole object, False if it is a range of one."""
        return self.offset == 0 and self.length is None

    def difference(self, *, sha256: bytes | None, size: int | None = None) -> str:
        """Return in words how the values that a store reports differ from the recorded ones; empty if they are equal.

        A value that is None, or was never recorded, is not compared.
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
