"""Export and import of the catalog's tables, by COPY."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa
from psycopg import sql

from models.tables import METADATA
from tierkeeper.catalog import partitions, revisions
from tierkeeper.catalog.database import Database, catalog_now, take_time
from tierkeeper.catalog.events import Horizon, horizon

EVENTS = "events"
_CHUNK = 1024 * 1024


class Sink(Protocol):
    """The target of a table's bytes."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        """Write some bytes."""


class TableBytes(Protocol):
    """The source of a table's bytes."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, none at the end."""


def tables() -> list[str]:
    """Return the tables that a dump has, each after those it refers to; the events are exported apart."""
    return [table.name for table in METADATA.sorted_tables if table.name != EVENTS]


def columns(table: str) -> list[str]:
    """Return the columns of a table, as this version of the code knows it."""
    return METADATA.tables[table].c.keys()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole catalog as it was at one moment."""

    at: datetime
    horizon: Horizon
    revision: str
    _connection: sa.Connection

    @property
    def connection(self) -> sa.Connection:
        """The connection, for other queries of the same moment."""
        return self._connection

    def copy(self, table: str, sink: Sink) -> int:
        """Write a table's rows; return how many."""
        query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(_listed(columns(table)), sql.Identifier(table))
        return self._copy(query, sink)

    def copy_events(self, start: int, sink: Sink) -> int:
        """Write the events of this server from the transaction ``start`` on, all events from 0 on; return how many."""
        rows = sql.SQL("SELECT {} FROM {}").format(_listed(columns(EVENTS)), sql.Identifier(EVENTS))
        if start:
            new = sql.SQL(" WHERE cluster = {} AND xid >= CAST({} AS xid8)")
            rows += new.format(sql.Literal(self.horizon.cluster), sql.Literal(str(start)))
        return self._copy(sql.SQL("COPY ({}) TO STDOUT").format(rows), sink)

    def _copy(self, query: sql.Composed, sink: Sink) -> int:
        with _driver(self._connection).cursor() as cursor:
            with cursor.copy(query) as rows:
                for piece in rows:
                    sink.write(piece)
            return cursor.rowcount


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """Yield a snapshot of the catalog, kept for as long as it is read."""
    with database.reading(snapshot=True) as connection:
        partitions.hold(connection)  # before the snapshot: what went in between would be in no events and no history
        take_time(connection)
        yield Snapshot(catalog_now(connection), horizon(connection), revisions.current(connection), connection)


def clear(connection: sa.Connection) -> None:
    """Delete the rows that ``init`` put into the tables of a dump (its built-in policies, the switches, runs)."""
    take_time(connection)
    for table in reversed(tables()):
        connection.execute(sa.text(f"DELETE FROM {table}"))


def load(connection: sa.Connection, table: str, names: Sequence[str], source: TableBytes) -> int:
    """Load a table's rows; columns that the dump does not have get their defaults. Return how many rows."""
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _listed(names))
    return _load(connection, query, source)


def load_events(connection: sa.Connection, names: Sequence[str], source: TableBytes) -> int:
    """Read exported events back; an event that exists already stays as it is. Return how many were added."""
    copied = "LIKE events INCLUDING DEFAULTS"  # an older dump has no cluster and no transaction: they are ours then
    connection.execute(sa.text(f"CREATE TEMP TABLE IF NOT EXISTS loaded_events ({copied}) ON COMMIT DROP"))
    connection.execute(sa.text("TRUNCATE loaded_events"))
    query = sql.SQL("COPY loaded_events ({}) FROM STDIN").format(_listed(names))
    _load(connection, query, source)
    months = sa.text("SELECT DISTINCT date_trunc('month', at, 'UTC') FROM loaded_events ORDER BY 1")
    for month in connection.execute(months).scalars().all():
        partitions.make_ahead(connection, now=month)
    listed = ", ".join(columns(EVENTS))
    return connection.execute(
        sa.text(f"INSERT INTO events ({listed}) SELECT {listed} FROM loaded_events ON CONFLICT DO NOTHING")
    ).rowcount


def in_use(connection: sa.Connection) -> str | None:
    """Return a kind of rows that a catalog has beyond those of ``init``, None if there is none."""
    for what, rows in (
        ("artifacts", "artifacts"),
        ("content", "blobs"),
        ("tenants", "tenants"),
        ("policies of its own", "policies WHERE NOT built_in"),
    ):
        if connection.execute(sa.text(f"SELECT EXISTS (SELECT FROM {rows})")).scalar_one():
            return what
    return None


def _load(connection: sa.Connection, query: sql.Composed, source: TableBytes) -> int:
    with _driver(connection).cursor() as cursor:
        with cursor.copy(query) as rows:
            while piece := source.read(_CHUNK):
                rows.write(piece)
        return cursor.rowcount


def _listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101  the catalog is made with this driver
    return driver
