"""Helpers of statements: types of parameters, lists of columns, optional conditions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

T = TypeVar("T")
S = TypeVar("S", bound=sa.Executable)
#: the execution option that :func:`anew` sets
PLANNED_ANEW: Final = "planned_anew"
SqlType = Literal[
    "text",
    "text[]",
    "uuid",
    "uuid[]",
    "timestamptz",
    "timestamptz[]",
    "bigint",
    "bigint[]",
    "bytea[]",
    "boolean[]",
    "jsonb",
]
_SINGLE: Final[Mapping[str, sa.types.TypeEngine[Any]]] = {
    "text": sa.Text(),
    "uuid": sa.Uuid(),
    "timestamptz": sa.DateTime(timezone=True),
    "bigint": sa.BigInteger(),
    "bytea": sa.LargeBinary(),
    "boolean": sa.Boolean(),
    "jsonb": JSONB(none_as_null=True),
}


def anew(statement: S) -> S:
    """Return the statement as one that is planned for its values each time, and never prepared.

    For one whose best plan depends on them, such as a beginning of names or a user's filter: of a prepared statement
    PostgreSQL may keep one plan for all values.
    """
    return statement.execution_options(**{PLANNED_ANEW: True})


def typed(**types: SqlType) -> list[sa.BindParameter[Any]]:
    """Return parameters of these types, for `bindparams`: each is cast to its type wherever its statement has it.

    A parameter needs its type where neither its place (``unnest(:ids)``, ``:tenant IS NULL``) nor its value (an empty
    list, JSON) tells it. A timedelta is an interval by itself.
    """
    return [sa.bindparam(name, type_=_type(of)) for name, of in types.items()]


def _type(of: SqlType) -> sa.types.TypeEngine[Any]:
    item = _SINGLE[of.removesuffix("[]")]
    return ARRAY(item) if of.endswith("[]") else item


def listed(names: Iterable[str], *, table: str = "", **others: str) -> str:
    """Return what a SELECT lists for a row's fields, in their order: columns of an alias, such as ``p``, or of none.

    ``others``: the expression for a field that is no column of it, by the name of the field.
    """
    prefix = table and f"{table}."
    return ", ".join(f"{others[name]} AS {name}" if name in others else f"{prefix}{name}" for name in names)


def where_given(value: T | None, condition: Callable[[T], sa.ColumnElement[bool]]) -> list[sa.ColumnElement[bool]]:
    """Return the condition of a filter on this value, none where the filter does not ask for it."""
    return [] if value is None else [condition(value)]
