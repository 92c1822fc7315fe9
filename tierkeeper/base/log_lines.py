"""What renders log lines: structlog's processors. :mod:`tierkeeper.base.log` loads it with the first line."""

import logging
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import structlog

from tierkeeper.base.secrets import MASK, is_secret, masked
from tierkeeper_client import texts


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return structlog's logger of the module ``name``."""
    return structlog.stdlib.get_logger(name)


def context(values: dict[str, object]) -> AbstractContextManager[object]:
    """Return a context in which every line carries ``values``."""
    return structlog.contextvars.bound_contextvars(**values)


def formatter(*, console: bool, colors: bool) -> logging.Formatter:
    """Return what makes a line of a record: for people, with ``colors`` or without, or as JSON."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=colors, exception_formatter=structlog.dev.plain_traceback, timestamp_key="at"
        )
        if console
        else structlog.processors.JSONRenderer(default=str)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console, key="at"),
            *([_plain] if console else []),
            renderer,
        ],
    )


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


#: of records of the standard library's loggers too, whose arguments are in the message already
_SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    _mask,
]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        *_SHARED,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)
