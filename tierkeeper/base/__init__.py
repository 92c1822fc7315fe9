"""The base layer, imported by all others: callers, states, errors, ids, clock, log, metrics. No I/O libraries."""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__, "log_lines")
