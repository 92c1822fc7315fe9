"""Progress of many files, in items, bytes and the time that is left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from tierkeeper.cli.support import output
from tierkeeper.cli.support.output import Output

#: is called with the number of items and of bytes that were done since its last call
Advance = Callable[[int, int], None]
_PLAIN_SECONDS: Final = 2.0  # between two lines where there is no terminal
_SOON: Final = 1.0  # seconds from which on the rest can be told from what was done


@contextmanager
def progress(out: Output, label: str, *, items: int, size: int) -> Iterator[Advance]:
    """Show on stderr how many items and bytes were done, and the time left; nothing if quiet or with JSON."""
    if out.quiet or out.as_json or not items:
        yield lambda _items, _bytes: None
        return
    state = _Transfer(label, items, size)
    if out.err.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30))
        with Progress(*columns, console=out.err, transient=True) as bar:
            task = bar.add_task(escape(state.text()), total=1.0)

            def drawn(done: int, length: int) -> None:
                state.add(done, length)
                bar.update(task, completed=state.share, description=escape(state.text()))

            yield drawn
        return
    shown = time.monotonic()

    def written(done: int, length: int) -> None:
        nonlocal shown
        state.add(done, length)
        if time.monotonic() - shown >= _PLAIN_SECONDS:
            shown = time.monotonic()
            out.say(state.text())

    yield written


class _Transfer:
    """What was done of what."""

    def __init__(self, label: str, items: int, size: int) -> None:
        self._label, self._items, self._size = label, items, size
        self._done, self._length = 0, 0
        self._began = time.monotonic()

    @property
    def share(self) -> float:
        """The part that was done, between 0 and 1: small files cost by their number, large ones by their bytes."""
        shares = [self._done / self._items]
        if self._size:
            shares.append(min(1.0, self._length / self._size))
        return sum(shares) / len(shares)

    def add(self, items: int, length: int) -> None:
        """Count items and bytes."""
        self._done += items
        self._length += length

    def text(self) -> str:
        """Return the line."""
        parts = [f"{self._label}: {self._done} of {self._items} files"]
        if self._size:
            parts.append(f"{output.size(self._length)} of {output.size(self._size)}")
        spent, share = time.monotonic() - self._began, self.share
        if spent >= _SOON and 0 < share < 1:
            parts.append(f"{output.span((spent / share - spent) / 86400)} left")
        return ", ".join(parts)
