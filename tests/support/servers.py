"""Servers that run for as long as a block lasts, for tests and benchmarks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Server(Protocol):
    """What is started and stopped."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Stop it."""


S = TypeVar("S", bound=Server)


@contextmanager
def started(server: S) -> Iterator[S]:
    """Start ``server``, and stop it at the end of the block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()
