"""Locks that another connection holds while an operation runs, until the operation waits for them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from support.house import House
from tierkeeper.catalog.database import catalog_now

_WAITING = sa.text("""
    SELECT count(*)
    FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE :query
""")
_PATIENCE = 30.0  # seconds


def waiting(connection: sa.Connection, statement: str = "") -> int:
    """Return how many connections of this catalog wait for a lock, in a statement that has these words."""
    found = int(connection.execute(_WAITING, {"query": f"%{statement}%"}).scalar_one())
    connection.rollback()  # or the next look sees what this one saw
    return found


def wait_for_a_lock(connection: sa.Connection, *futures: "Future[Any]", number: int = 1, statement: str = "") -> None:
    """Wait until so many wait for a lock; fail if an operation ends without having waited."""
    end = time.monotonic() + _PATIENCE
    while waiting(connection, statement) < number:
        assert not any(future.done() for future in futures), "it did not wait for who has the lock"
        assert time.monotonic() < end
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Held:
    """What another connection holds, and one to look with."""

    holder: sa.Connection
    onlooker: sa.Connection

    def take(self, statement: str, **arguments: object) -> None:
        """Hold what a statement locks, too."""
        self.holder.execute(sa.text(statement), arguments)

    def wait_for(self, future: "Future[Any]") -> None:
        """Wait until a statement waits for a lock; fail if the operation ends without having waited."""
        wait_for_a_lock(self.onlooker, future)

    def release(self) -> datetime:
        """Give the locks back; return the catalog's time right before."""
        now = catalog_now(self.holder)
        self.holder.commit()
        return now


@contextmanager
def locked(house: House, statement: str, **arguments: object) -> Iterator[Held]:
    """Hold what a statement locks, until it is released or the block ends."""
    database = house.keeper.engine.catalog.engine
    with database.connect() as holder, database.connect() as onlooker:
        held = Held(holder, onlooker)
        held.take(statement, **arguments)
        try:
            yield held
        finally:
            onlooker.rollback()
            holder.rollback()


def waited(house: House, act: Callable[[], Any], statement: str, **arguments: object) -> datetime:
    """Let an operation wait for what a statement locks; return the catalog's time at which it could proceed."""
    with locked(house, statement, **arguments) as held, ThreadPoolExecutor() as threads:
        future = threads.submit(act)
        held.wait_for(future)
        released = held.release()
        future.result()
    return released
