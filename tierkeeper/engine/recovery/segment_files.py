"""The files of detached months: gzipped lines of JSON, as `events --export` writes them, a month a file.

Equal events make equal lines, so a file is compared with the catalog line by line, and a later run takes the file of an
earlier one for its own where they agree.
"""

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, cast

from tierkeeper.audit import lines
from tierkeeper.audit.position import Position
from tierkeeper.base.errors import SegmentMismatch
from tierkeeper.catalog.partitions import Month
from tierkeeper.catalog.segments import SegmentFile
from tierkeeper.values.events import EventView
from tierkeeper.values.progress import ProgressCallback
from tierkeeper_client import files
from tierkeeper_client.digest import Digest

MODE = 0o640  # the group of the folder may read it, as a log
_LEVEL = 6  # of gzip
_PAGE = 1000  # events between two signs of progress


def located(folder: Path, month: Month) -> Path:
    """Return the path of a month's file."""
    return folder / f"lifecycle_events-{month}.jsonl.gz"


def write(path: Path, events: Iterable[EventView], *, progress: ProgressCallback) -> None:
    """Write the events under another name, and give the file its own once all of it is on the disk."""
    with files.replacing(path, mode=MODE) as file:
        with gzip.GzipFile("", fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
            for event in _told(events, progress):
                packed.write(lines.line(event))
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Bring a file, and its name in its folder, to the disk: an earlier run, or a user's copy, may not have done so."""
    with closing(files.reading(path)) as file:
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def compared(path: Path, month: Month, events: Iterable[EventView], *, progress: ProgressCallback) -> SegmentFile:
    """Read a file from its beginning to its end, and return what it is; SegmentMismatch where the events differ."""
    ends: dict[str, Position] = {}
    count = 0
    with closing(_HashedReading(files.reading(path))) as file:
        for event, found in zip_longest(_told(events, progress), _lines(path, month, file)):
            if event is None or found != lines.line(event):
                problem = _difference(count + 1, event, found)
                raise SegmentMismatch(file=path, month=month, problem=problem)
            count += 1
            position = Position.read(event.position or "")
            ends[position.cluster] = max(ends.get(position.cluster, position), position, key=lambda p: p.key)
        return SegmentFile(str(path), count, file.size, file.digest.sha256, tuple(map(str, ends.values())))


def _told(events: Iterable[EventView], progress: ProgressCallback) -> Iterator[EventView]:
    count = 0
    for count, event in enumerate(events, start=1):
        yield event
        if count % _PAGE == 0:
            progress(_PAGE)
    progress(count % _PAGE)


def _lines(path: Path, month: Month, file: "_HashedReading") -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=cast("BinaryIO", file), mode="rb") as packed:
            yield from packed
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise SegmentMismatch(file=path, month=month, problem=f"it cannot be read: {error}") from error


def _difference(number: int, event: EventView | None, found: bytes | None) -> str:
    if event is None:
        return f"it has a line {number}, and the month has {number - 1} events"
    if found is None:
        return f"it ends after {number - 1} lines, and the month has more events"
    return f"line {number} is not the event {event.type} of {event.subject} at {event.at:%Y-%m-%d %H:%M:%S} UTC"


class _HashedReading:
    """A file that is hashed while it is read from its beginning to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = Digest()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, none at the end."""
        data = self._file.read(size)
        self.digest.add(data)
        self.size += len(data)
        return data

    def close(self) -> None:
        """Close it."""
        self._file.close()
