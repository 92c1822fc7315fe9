"""Output of the command line: data to stdout as tables or JSON, everything else to stderr."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import click
from rich import segment
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from tierkeeper.base.quantities import format_size
from tierkeeper.base.secrets import masked
from tierkeeper.cli.support import streams, tables
from tierkeeper.cli.support.state import State
from tierkeeper.values.plain import plain
from tierkeeper.values.progress import ProgressCallback
from tierkeeper_client import texts
from tierkeeper_client.errors import TierkeeperError

__all__ = ["Text"]  # and what is defined here: commands import one module for output
table, pairs, unbroken = tables.table, tables.pairs, tables.unbroken
PIPED_WIDTH: Final = 240  # columns without a terminal: tables keep their natural width, nothing is cut
SHORT_ID: Final = 8  # characters of the end of an id: its random part
PLAIN_PROGRESS_SECONDS: Final = 2.0  # between two lines where there is no terminal
DEFAULT_TIERS: Final = ("hot", "records", "warm", "cold")
STYLES: Final = {
    "hot": "red",
    "records": "magenta",
    "warm": "yellow",
    "cold": "cyan",
    "live": "green",
    "deleted": "yellow",
    "purged": "bright_black",
    "done": "green",
    "nothing to do": "bright_black",
    "refused": "red",
    "retry later": "yellow",
    "parked": "red",
    "waiting": "yellow",
    "retried": "green",
    "skipped": "bright_black",
    "running": "yellow",
    "awaiting approval": "red",
    "rejected": "bright_black",
    "failed": "red",
    "error": "red",
}


class Output:
    """The output of this invocation and its options: ``as_json``, ``quiet`` (no progress, no remarks), ``verbose``."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.reached: str | None = None  # how far the last progress came, in words, for who stops the command

    @property
    def out(self) -> Console:
        """The console for data: stdout."""
        return _console(stderr=False)

    @property
    def err(self) -> Console:
        """The console for remarks, progress and errors: stderr."""
        return _console(stderr=True)

    def document(self, value: Any) -> None:  # noqa: ANN401  whatever :func:`plain` takes
        """Print one JSON document."""
        click.echo(to_json(value, indent=2))

    def lines(self, values: Iterable[Any]) -> None:
        """Print JSON lines, one value a line."""
        for value in values:
            click.echo(to_json(value))

    def array(self, values: Iterable[Any]) -> None:
        """Print one JSON array, an element a line, without holding it in memory."""
        separator = "["
        for value in values:
            click.echo(f"{separator}{to_json(value)}", nl=False)
            separator = ",\n "
        click.echo("[]" if separator == "[" else "]")

    def print(self, *what: RenderableType) -> None:
        """Print a table or text to stdout."""
        console = self.out
        for one in what:
            console.print(one, soft_wrap=isinstance(one, str), highlight=False, markup=False, crop=False)

    def say(self, text: str, *, style: str | None = None) -> None:
        """Print a remark to stderr, unless quiet."""
        if not self.quiet:
            self.err.print(Text(text, style=style or ""), soft_wrap=True, highlight=False)

    def warn(self, text: str) -> None:
        """Print a warning to stderr, quiet or not."""
        self.err.print(Text(text, style="yellow"), soft_wrap=True, highlight=False)

    def error(self, error: TierkeeperError) -> None:
        """Print one line on stderr, or with JSON one object; passwords in URLs are masked."""
        if self.as_json:
            members = {name: masked(str(value)) for name, value in error.as_dict().items()}
            click.echo(to_json({**members, "exit_code": error.exit_code}), err=True)
        else:
            self.err.print(Text.assemble(("error: ", "bold red"), masked(str(error))), soft_wrap=True, highlight=False)

    @contextmanager
    def progress(self, label: str, *, total: int | None = None, in_bytes: bool = False) -> Iterator[ProgressCallback]:
        """Show progress on stderr while the block runs; the block calls the yielded function with the number done.

        ``in_bytes``: what is counted are bytes.
        """
        done, known = 0, "" if total is None else f" of {size(total) if in_bytes else total}"
        with self._bar(label, total, in_bytes=in_bytes) as show:

            def advance(more: int) -> None:
                nonlocal done
                done += more
                self.reached = f"{label}: {size(done) if in_bytes else done}{known}"
                show(more)

            yield advance

    @contextmanager
    def _bar(self, label: str, total: int | None, *, in_bytes: bool) -> Iterator[ProgressCallback]:
        if self.quiet or self.as_json:
            yield lambda _done: None
        elif self.err.is_terminal:
            counted = DownloadColumn(binary_units=True) if in_bytes else MofNCompleteColumn()
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), counted)
            with Progress(*columns, TimeElapsedColumn(), console=self.err, transient=True) as bar:
                task = bar.add_task(escape(label), total=total)
                yield lambda done: bar.advance(task, done)
        else:
            plain_bar = _PlainProgress(self.err, label, total, size if in_bytes else str)
            yield plain_bar.advance
            plain_bar.finish()


class _PlainProgress:
    """Progress as a line every few seconds, for logs and pipes."""

    def __init__(self, console: Console, label: str, total: int | None, shown: Callable[[int], str]) -> None:
        self._console, self._label, self._total, self._shown_as = console, label, total, shown
        self._done = 0
        self._said = False
        self._shown = time.monotonic()

    def advance(self, done: int) -> None:
        self._done += done
        if time.monotonic() - self._shown >= PLAIN_PROGRESS_SECONDS:
            self._show()

    def finish(self) -> None:
        if self._done or self._said:
            self._show()

    def _show(self) -> None:
        self._said = True
        self._shown = time.monotonic()
        of = "" if self._total is None else f" of {self._shown_as(self._total)}"
        self._console.print(f"{self._label}: {self._shown_as(self._done)}{of}", highlight=False, markup=False)


class PlainConsole(Console):
    """A console whose own styles alone drive the terminal: nothing that was stored does."""

    def on_broken_pipe(self) -> None:
        """Let the error of a pipe that nothing reads go its way, as of what is printed without a console."""
        raise  # noqa: PLE0704  rich calls this where it handles that error

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[segment.Segment]:
        """Yield what the renderable is made of, without control characters within its texts."""
        for part in super().render(renderable, options):
            yield part if part.control else segment.Segment(texts.plain(part.text), part.style)


def to_json(value: Any, *, indent: int | None = None) -> str:  # noqa: ANN401  whatever :func:`plain` takes
    """Return JSON in which what would drive a terminal is escaped, and so is what the locale cannot print."""
    return texts.escaped(json.dumps(plain(value), indent=indent, ensure_ascii=not streams.takes_all(sys.stdout)))


def _console(*, stderr: bool) -> Console:
    # a new Console each time, because it binds sys.stdout when it is made, and tests and Celery replace that
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return PlainConsole(file=stream, width=PIPED_WIDTH if piped else None, soft_wrap=False, emoji=False)


def word(value: str) -> Text:
    """Return a tier, state or outcome in its colour."""
    return Text(value, style=STYLES.get(value, ""))


def tiers(names: Iterable[str]) -> Text:
    """Return tier names joined by ``+``, the default ones from hot to cold, each in its colour; a dash for none."""
    joined = Text("+").join(word(name) for name in sorted(names, key=_heat))
    return joined if joined.plain else Text("-", style="bright_black")


def _heat(tier: str) -> int:
    return DEFAULT_TIERS.index(tier) if tier in DEFAULT_TIERS else len(DEFAULT_TIERS)


def diff(text: str) -> RenderableType:
    """Return a unified diff in its colours."""
    from rich.syntax import Syntax  # noqa: PLC0415  it loads Pygments, for this alone

    return Syntax(text, "diff", background_color="default")


def size(count: int | None) -> str:
    """Return a size in bytes for people; a dash for none."""
    return "-" if count is None else format_size(count)


def moment(value: datetime | None) -> str:
    """Return a time to the second in the user's zone, with its offset from UTC (``Z`` for none); a dash for none."""
    return "-" if value is None else _local(value).isoformat(" ", "seconds").replace("+00:00", "Z")


def _local(value: datetime) -> datetime:
    """Return the time in the zone of the user's machine; with ``--utc`` in UTC."""
    ctx = click.get_current_context(silent=True)
    found = None if ctx is None else ctx.find_object(State)
    return value.astimezone(UTC if found is not None and found.utc else None)


def short_id(value: UUID) -> str:
    """Return the end of an id, which is accepted as the name of a run or a plan."""
    return str(value)[-SHORT_ID:]


def day(value: datetime | None) -> str:
    """Return a date in the user's zone; a dash for none."""
    return "-" if value is None else _local(value).strftime("%Y-%m-%d")


def coming(value: datetime, now: datetime) -> str:
    """Return a due time in words: its date, with the time of day within a day of ``now``, or ``due now``."""
    if value <= now:
        return "due now"
    if value - now > timedelta(days=1):
        return day(value)
    return _local(value).isoformat(" ", "minutes").replace("+00:00", "Z")


def span(value: timedelta | float | None) -> str:
    """Return a length of time (or a number of days) in its two largest units: ``3 d 4 h``, ``12 s``."""
    if value is None:
        return "-"
    seconds = value.total_seconds() if isinstance(value, timedelta) else value * 86400
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 10:  # noqa: PLR2004  below, tenths matter
        return f"{sign}{seconds:.1f} s"
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count or parts:
            parts.append(f"{int(count)} {unit}" if count else "")
    return sign + " ".join(part for part in parts[:2] if part)


def relative(value: datetime | None, now: datetime) -> str:
    """Return a time relative to ``now``: ``in 3 d 4 h``, ``12 s ago``."""
    if value is None:
        return "-"
    return f"in {span(value - now)}" if value > now else f"{span(now - value)} ago"
