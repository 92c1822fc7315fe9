"""Logs: structlog, one line an event, for people on a terminal and as JSON elsewhere; never a secret.

Records of the standard library's loggers (Celery, SQLAlchemy, boto3) are rendered the same way. A process that logs
nothing, as most commands, does not load structlog.
"""

import logging
import sys
from collections.abc import Hashable
from contextlib import AbstractContextManager
from functools import cached_property
from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO, cast

from tierkeeper.base import log_lines

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

# libraries that log noise on INFO, or whole requests on DEBUG: raised to WARNING
QUIET = ("alembic", "boto3", "botocore", "s3transfer", "urllib3", "amqp", "kombu", "sqlalchemy.engine")


class _ModuleLogger:
    """Stands for structlog's logger of a module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401  whatever structlog's logger has
        return getattr(log_lines.logger(self._name), method)


class _LineFormatter(logging.Formatter):
    """Renders records by structlog."""

    def __init__(self, *, console: bool, colors: bool) -> None:
        super().__init__()
        self._console, self._colors = console, colors

    @cached_property
    def _lines(self) -> logging.Formatter:
        return log_lines.formatter(console=self._console, colors=self._colors)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        return self._lines.format(record)


def get(name: str) -> "BoundLogger":
    """Return the logger of the module ``name``."""
    return cast("BoundLogger", _ModuleLogger(name))


def context(**values: object) -> AbstractContextManager[object]:
    """Return a context in which every line carries ``values``: correlation, task, tenant, run, …; None is left out."""
    return log_lines.context({k: v for k, v in values.items() if v is not None})


class Throttle:
    """Lets a subject's line through once in ``seconds``, or when its text changes. Safe to use from many threads."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = Lock()
        self._told: dict[Hashable, tuple[str, float]] = {}  # the subject's last text, and when it was logged

    def due(self, subject: Hashable, text: str = "") -> bool:
        """Return True if ``text`` is to be logged now, and record that it was."""
        now = monotonic()
        with self._lock:
            before, at = self._told.get(subject, (text, -inf))
            if text == before and now - at < self.seconds:
                return False
            self._told[subject] = (text, now)
        return True

    def forget(self, subject: Hashable) -> None:
        """Let the next line of ``subject`` through, because it recovered in between."""
        with self._lock:
            self._told.pop(subject, None)


def configure(level: str, layout: str, *, stream: TextIO | None = None) -> None:
    """Send all logs of the process from ``level`` on to ``stream`` (default: standard error).

    ``layout`` is ``console``, ``json``, or ``auto``: ``console`` if the stream is a terminal, else ``json``.

    May be called again; the last call counts.
    """
    target = sys.stderr if stream is None else stream
    console = layout == "console" or (layout == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(_LineFormatter(console=console, colors=target.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
