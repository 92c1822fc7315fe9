"""Progress of many files, in items, bytes and the time that is left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from tierkeeper.base.quantities import format_count
from tierkeeper.base.streams import Readable
from tierkeeper.cli.support import output
from tierkeeper.cli.support.output import Output
from tierkeeper.values.progress import ProgressCallback

LARGE: Final = 8 * 1024 * 1024  # bytes of a file from which on they are shown while it is stored
#: is called with the number of items and of bytes that were done since its last call
Advance = Callable[[int, int], None]
_SOON: Final = 1.0  # seconds from which on the rest can be told from what was done


@contextmanager
def progress(out: Output, label: str, *, items: int, size: int) -> Iterator[Advance]:
    """Show on stderr how many items and bytes were done, and the time left; nothing if quiet or with JSON.

    Several threads may call the function that is yielded. How far it came stays in ``out.reached``.
    """
    state = _Transfer(label, items, size)

    def counted(done: int, length: int) -> None:
        state.add(done, length)
        out.reached = state.done()

    if out.quiet or out.as_json or not items:
        yield counted
        return
    if out.err.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30))
        with Progress(*columns, console=out.err, transient=True) as bar:
            task = bar.add_task(escape(state.text()), total=1.0)

            def drawn(done: int, length: int) -> None:
                counted(done, length)
                bar.update(task, completed=state.share, description=escape(state.text()))

            yield drawn
        return
    shown = time.monotonic()

    def written(done: int, length: int) -> None:
        nonlocal shown
        counted(done, length)
        if time.monotonic() - shown >= output.PLAIN_PROGRESS_SECONDS:
            shown = time.monotonic()
            out.say(state.text())

    yield written


class _Transfer:
    """What was done of what."""

    def __init__(self, label: str, items: int, size: int) -> None:
        self._label, self._items, self._size = label, items, size
        self._done, self._length = 0, 0
        self._began = time.monotonic()
        self._lock = threading.Lock()

    @property
    def share(self) -> float:
        """The part that was done, between 0 and 1: small files cost by their number, large ones by their bytes."""
        shares = [self._done / self._items]
        if self._size:
            shares.append(min(1.0, self._length / self._size))
        return sum(shares) / len(shares)

    def add(self, items: int, length: int) -> None:
        """Count items and bytes."""
        with self._lock:
            self._done += items
            self._length += length

    def done(self) -> str:
        """Return what was done, in words."""
        return ", ".join(self._counts())

    def text(self) -> str:
        """Return the line."""
        parts = self._counts()
        spent, share = time.monotonic() - self._began, self.share
        if spent >= _SOON and 0 < share < 1:
            parts.append(f"{output.span((spent / share - spent) / 86400)} left")
        return ", ".join(parts)

    def _counts(self) -> list[str]:
        parts = [f"{self._label}: {self._done} of {format_count(self._items, 'file')}"]
        if self._size:
            parts.append(f"{output.size(self._length)} of {output.size(self._size)}")
        return parts


class Counted(Readable):
    """A file to store that tells the bytes that go into the stores, each once.

    What can be read twice is read for its hash first, to its end, and that is not told.
    """

    def __init__(self, file: BinaryIO, told: ProgressCallback) -> None:
        super().__init__()
        self._file, self._told = file, told
        self.name = getattr(file, "name", None)  # for messages, as files have it
        self._hashed = not file.seekable()
        self._at = self._furthest = 0 if self._hashed else file.tell()

    def __exit__(self, *_raised: object) -> None:
        """Close the file too; who opened it elsewhere closes it there."""
        self._file.close()
        self.close()

    def seekable(self) -> bool:
        """Return whether the file is."""
        return self._file.seekable()

    def read(self, size: int = -1) -> bytes:
        """Read, and tell how much of it is new."""
        piece = self._file.read(size)
        self._at += len(piece)
        if not self._hashed:
            self._hashed = not piece
        elif self._at > self._furthest:
            self._told(self._at - self._furthest)
            self._furthest = self._at
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position."""
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()
