"""A set of ids kept sorted on disk, so that memory stays flat however many there are."""

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Self
from uuid import UUID

_MOST = 200_000  # ids in memory before they go to disk
_WIDTH = 16  # bytes of an id
_READ = 4096 * _WIDTH


class IdSet:
    """A set of ids that is first filled, then compared with a sorted stream. Use it as a context manager."""

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._fresh: list[bytes] = []
        self._files: list[BinaryIO] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def add(self, ids: Iterable[UUID]) -> None:
        """Add these ids; duplicates stay."""
        self._fresh.extend(each.bytes for each in ids)
        if len(self._fresh) >= self._most:
            file = tempfile.TemporaryFile(prefix="tierkeeper-")  # noqa: SIM115  closed on exit
            file.write(b"".join(sorted(self._fresh)))
            self._files.append(file)
            self._fresh = []

    def ordered(self) -> Iterator[UUID]:
        """Yield every id in the order of its bytes, which is the order of PostgreSQL."""
        streams = [_stream(file) for file in self._files]
        return (UUID(bytes=each) for each in heapq.merge(sorted(self._fresh), *streams))


def _stream(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_READ):
        for start in range(0, len(piece), _WIDTH):
            yield piece[start : start + _WIDTH]
