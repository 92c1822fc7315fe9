"""Many rows of any columns in one statement, as JSON: a statement a row costs more than the rows do.

Statements with few columns, or that do more than insert and update, take arrays (``unnest``) instead.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: characters of JSON in one statement: PostgreSQL takes 256 MiB at most, and a statement has its time
_MOST = 16 * 1024 * 1024
#: the types that JSON writes as the columns read them
_PLAIN = frozenset({dict, list, str, int, float, bool, type(None)})
_DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same keys, names of columns; a JSON column's value is a dict or a list.

    Raises ValueError where the keys differ, TypeError where a value within JSON is no JSON; rows before it may be
    inserted by then, so the transaction must not be committed.
    """
    for part in parts(rows):
        connection.execute(_inserting(table, tuple(rows[0])), {"rows": part})


def columns(row: "DataclassInstance") -> dict[str, object]:
    """Return a new row as the columns that its fields are named for."""
    return {name: getattr(row, name) for name in _names(type(row))}


@lru_cache
def _names(kind: "type[DataclassInstance]") -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def update(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the same columns of many locked rows; each has ``id`` and the columns. Raises what ``insert`` raises."""
    for part in parts(rows):
        connection.execute(_updating(table, tuple(rows[0])), {"rows": part})


def parts(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the rows as arrays of JSON, mostly one."""
    texts: list[str] = []
    length = 0
    for row in rows:
        if row.keys() != rows[0].keys():
            msg = f"rows of one statement have the columns {sorted(rows[0])} and {sorted(row)}"
            raise ValueError(msg)
        text = _encode({name: value if type(value) in _PLAIN else _plain(value) for name, value in row.items()})
        if texts and length + len(text) > _MOST:
            yield f"[{','.join(texts)}]"
            texts, length = [], 0
        texts.append(text)
        length += len(text)
    if texts:
        yield f"[{','.join(texts)}]"


_encode = json.JSONEncoder(check_circular=False).encode


def _plain(value: object) -> object:
    """Return the JSON from which PostgreSQL reads a column's value."""
    if isinstance(value, (UUID, datetime)):
        return str(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return dict(value) if isinstance(value, Mapping) else value


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
