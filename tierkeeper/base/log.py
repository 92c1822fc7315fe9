"""Logs: structlog, one line an event, for people on a terminal and as JSON elsewhere; never a secret.

Records of the standard library's loggers (Celery, SQLAlchemy, boto3) are rendered the same way.
"""

import logging
import sys
from collections.abc import Hashable, MutableMapping
from contextlib import AbstractContextManager
from math import inf
from threading import Lock
from time import monotonic
from typing import Any, TextIO

import structlog

from tierkeeper.base.secrets import MASK, is_secret, masked
from tierkeeper_client import texts

# libraries that log noise on INFO, or whole requests on DEBUG: raised to WARNING
QUIET = ("alembic", "boto3", "botocore", "s3transfer", "urllib3", "amqp", "kombu", "sqlalchemy.engine")


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of the module ``name``."""
    return structlog.stdlib.get_logger(name)


def context(**values: object) -> AbstractContextManager[object]:
    """Return a context in which every line carries ``values``: correlation, task, tenant, run, …; None is left out."""
    return structlog.contextvars.bound_contextvars(**{k: v for k, v in values.items() if v is not None})


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
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _mask,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers made at import follow a later configure()
    )
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="at"
        )
        if console
        else structlog.processors.JSONRenderer(default=str)
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:3], *shared[4:]],  # their arguments are in the message already
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([_plain] if console else []),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def _mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values with a secret's name, and passwords in URLs anywhere in the line."""
    for key, value in event.items():
        event[key] = _safe(value, key)
    return event


def _plain(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what would drive the terminal."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = texts.plain(value)
    return event


def _safe(value: object, key: str) -> object:
    if is_secret(key) and value is not None:
        return MASK
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {k: _safe(v, str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(item, "") for item in value]
    return value
