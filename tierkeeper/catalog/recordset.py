"""Many rows in one statement, as JSON: a statement a row costs PostgreSQL and the driver more than the rows do."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

_DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same keys, names of columns."""
    if rows:
        connection.execute(_inserting(table, tuple(rows[0])), {"rows": _json(rows)})


def update(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the same columns of many locked rows; each has ``id`` and the columns."""
    if rows:
        connection.execute(_updating(table, tuple(rows[0])), {"rows": _json(rows)})


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(rows, default=_text)


def _text(value: object) -> str:
    """Return what PostgreSQL reads the value from."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


@lru_cache
def _inserting(table: sa.Table, names: tuple[str, ...]) -> sa.TextClause:
    return sa.text(f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM {_recordset(table, names)}")


@lru_cache
def _updating(table: sa.Table, names: tuple[str, ...]) -> sa.TextClause:
    changes = ", ".join(f"{name} = w.{name}" for name in names if name != "id")
    return sa.text(f"UPDATE {table.name} SET {changes} FROM {_recordset(table, names)} WHERE {table.name}.id = w.id")


def _recordset(table: sa.Table, names: tuple[str, ...]) -> str:
    typed = ", ".join(f"{name} {table.c[name].type.compile(dialect=_DIALECT)}" for name in names)
    return f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS w({typed})"
