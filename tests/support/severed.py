"""A COMMIT whose reply is lost: the client's end of the wire is dead, the server's end is kept in the test's hands."""

import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa

from support.house import House
from tierkeeper.catalog.database import Database

_COMMIT = b"COMMIT\0"
_MESSAGE = b"Q" + (4 + len(_COMMIT)).to_bytes(4, "big") + _COMMIT


class Wire:
    """The server's end of a severed connection; its transaction stays open until something is done with it."""

    def __init__(self, driver: psycopg.Connection) -> None:
        self._end: int | None = os.dup(driver.pgconn.socket)
        mine, other = socket.socketpair()
        other.close()
        with mine:
            os.dup2(mine.fileno(), driver.pgconn.socket)

    def commit(self) -> None:
        """Let the server carry the COMMIT out, and wait for its reply, which nobody else gets."""
        if self._end is not None:
            os.write(self._end, _MESSAGE)
            select.select([self._end], [], [], 10)

    def end(self) -> None:
        """Hang up: a transaction that is open is rolled back."""
        if self._end is not None:
            os.close(self._end)
            self._end = None


def unbelieved(house: House, wire: Wire) -> None:
    """Commit, and give no answer to be believed (ADR 20): a checkpoint since may have ended a recovery."""
    wire.commit()
    assert house.settings.catalog.url is not None
    with psycopg.connect(house.settings.catalog.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


@contextmanager
def severed_at_commit(catalog: Database, act: Callable[[Wire], object], *, commit: int = 1) -> Iterator[list[Wire]]:
    """Sever the connection at the given COMMIT of a writer, before it is sent; yields the wires.

    Its wire is handed to ``act``.
    """
    wires: list[Wire] = []
    seen = 0

    def on_commit(connection: sa.Connection) -> None:
        nonlocal seen
        if connection.get_execution_options().get("postgresql_readonly"):
            return  # a reader's, which changes nothing
        seen += 1
        if seen == commit:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            wires.append(Wire(driver))
            act(wires[0])

    sa.event.listen(catalog.engine, "commit", on_commit)
    try:
        yield wires
    finally:
        sa.event.remove(catalog.engine, "commit", on_commit)
        for wire in wires:
            with suppress(OSError):
                wire.end()
