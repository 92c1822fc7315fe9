"""Servers that run for as long as a block lasts, for tests and benchmarks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tierkeeper.embedded.shared import SharedServer

S = TypeVar("S", bound=SharedServer)


@contextmanager
def started(server: S) -> Iterator[S]:
    """Start ``server``, and stop it at the end of the block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()
