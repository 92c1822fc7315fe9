"""Many rows in one statement, as JSON: a statement a row costs PostgreSQL and the driver more than the rows do."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.base import Base

_DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def insert(connection: sa.Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same keys, names of columns."""
    if rows:
        connection.execute(_inserting(model, tuple(rows[0])), {"rows": _json(rows)})


def update(connection: sa.Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the same columns of many locked rows; each has ``id`` and the columns."""
    if rows:
        connection.execute(_updating(model, tuple(rows[0])), {"rows": _json(rows)})


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(rows, default=_text)


def _text(value: object) -> str:
    """Return what PostgreSQL reads the value from."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


@lru_cache
def _inserting(model: type[Base], names: tuple[str, ...]) -> sa.TextClause:
    return sa.text(f"INSERT INTO {model.__tablename__} ({', '.join(names)}) SELECT * FROM {_recordset(model, names)}")


@lru_cache
def _updating(model: type[Base], names: tuple[str, ...]) -> sa.TextClause:
    table = model.__tablename__
    changes = ", ".join(f"{name} = w.{name}" for name in names if name != "id")
    return sa.text(f"UPDATE {table} SET {changes} FROM {_recordset(model, names)} WHERE {table}.id = w.id")


def _recordset(model: type[Base], names: tuple[str, ...]) -> str:
    typed = ", ".join(f"{name} {model.__table__.c[name].type.compile(dialect=_DIALECT)}" for name in names)
    return f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS w({typed})"
