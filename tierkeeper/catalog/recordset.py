"""Many rows in one statement: a statement a row costs more than the rows do.

Rows are written column by column, each column as an array of JSON: that costs both sides less than an object a row
does, and no more than COPY, which tables with row-level security refuse. Questions about many rows, of which one
statement makes a join, have them as objects (:func:`parts`). Statements with few columns, or that do more than insert
and update, take arrays (``unnest``) instead.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tierkeeper.base.by_class import ByClass, as_it_is

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
    for part in _column_parts(table, rows):
        connection.execute(_inserting(table, tuple(part)), part)


def update(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the same columns of many locked rows; each has ``id`` and the columns. Raises what ``insert`` raises."""
    for part in _column_parts(table, rows):
        connection.execute(_updating(table, tuple(part)), part)


def columns(row: "DataclassInstance") -> dict[str, object]:
    """Return a new row as the columns that its fields are named for."""
    return {name: getattr(row, name) for name in _names(type(row))}


@lru_cache
def _names(kind: "type[DataclassInstance]") -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def parts(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the rows as arrays of JSON objects, mostly one."""
    texts: list[str] = []
    length = 0
    for row in rows:
        text = _encode({name: value if type(value) in _PLAIN else _plain(value) for name, value in row.items()})
        if texts and length + len(text) > _MOST:
            yield f"[{','.join(texts)}]"
            texts, length = [], 0
        texts.append(text)
        length += len(text)
    if texts:
        yield f"[{','.join(texts)}]"


def _column_parts(table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield the columns of the rows, each as an array of JSON; of too many rows for one statement in halves."""
    if not rows:
        return
    names = rows[0].keys()
    different = next((row for row in rows if row.keys() != names), None)
    if different is not None:
        msg = f"rows of one statement have the columns {sorted(names)} and {sorted(different)}"
        raise ValueError(msg)
    part = {name: _column([row[name] for row in rows], table.c[name].type) for name in names}
    if len(rows) == 1 or sum(map(len, part.values())) <= _MOST:
        yield part
        return
    half = len(rows) // 2
    yield from _column_parts(table, rows[:half])
    yield from _column_parts(table, rows[half:])


def _column(values: Sequence[Any], kind: sa.types.TypeEngine[Any]) -> str:
    if isinstance(kind, sa.ARRAY):
        return _encode([None if value is None else _array(tuple(value)) for value in values])
    if {*map(type, values)} <= _PLAIN:
        return _encode(values)
    first = values[0]
    if values[-1] is first and all(value is first for value in values):  # a batch's run, its moment
        return _encode([_plain(first)] * len(values))
    return _encode([value if type(value) in _PLAIN else _plain(value) for value in values])


_encode = json.JSONEncoder(check_circular=False).encode


def _plain(value: object) -> object:
    return _AS_JSON[type(value)](value)


#: the JSON from which PostgreSQL reads a column's value
_AS_JSON: Final[ByClass[Callable[[Any], object]]] = ByClass(
    {
        UUID: attrgetter("hex"),
        datetime: str,
        bytes: lambda value: f"\\x{value.hex()}",
        Mapping: dict,
        object: as_it_is,
    }
)


@lru_cache
def _array(items: tuple[str, ...]) -> str:
    """Return an array of texts as PostgreSQL reads it."""
    quoted = (each.replace("\\", "\\\\").replace('"', '\\"') for each in items)
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"


@lru_cache
def _inserting(table: sa.Table, names: tuple[str, ...]) -> sa.TextClause:
    read = ", ".join(_read(table, name) for name in names)
    return sa.text(f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {read} FROM {_source(table, names)}")


@lru_cache
def _updating(table: sa.Table, names: tuple[str, ...]) -> sa.TextClause:
    changes = ", ".join(f"{name} = {_read(table, name)}" for name in names if name != "id")
    return sa.text(
        f"UPDATE {table.name} SET {changes} FROM {_source(table, names)} WHERE {table.name}.id = {_read(table, 'id')}"
    )


def _read(table: sa.Table, name: str) -> str:
    """Return the expression of a column's value."""
    kind = table.c[name].type
    if isinstance(kind, sa.JSON):
        return f"nullif(w.{name}, 'null')"
    return f"CAST(w.{name} AS {kind.compile(dialect=_DIALECT)})"


def _source(table: sa.Table, names: tuple[str, ...]) -> str:
    """Return the FROM item that has the columns' items in a row each."""
    of_json, of_text = "jsonb_array_elements", "jsonb_array_elements_text"
    arrays = (
        f"{of_json if isinstance(table.c[name].type, sa.JSON) else of_text}(CAST(:{name} AS jsonb))" for name in names
    )
    return f"ROWS FROM ({', '.join(arrays)}) AS w({', '.join(names)})"
