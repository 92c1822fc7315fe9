"""What all tables share: the metadata with its names of constraints, and the types that Python's do not tell.

A column is stated as :class:`sqlalchemy.TypedColumns` has it: NOT NULL unless its annotation has ``| None``, of the SQL
type in ``Column``, else of that for its annotation. Keys are UUIDv7 made by the application.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import DateTime, Dialect, MetaData, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

#: a table is in it once its module is imported; :mod:`models.tables` imports all of them
METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
TIMESTAMPTZ: Final = DateTime(timezone=True)
TEXTS: Final = ARRAY(Text())
JSON_OBJECT: Final[JSONB[dict[str, Any]]] = JSONB(none_as_null=True)  # None is NULL, not JSON's null


class Xid8(UserDefinedType[int]):
    """PostgreSQL's xid8: a transaction id, never reused within one cluster. The driver returns it as text."""

    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        """Return the type's name in SQL."""
        return "xid8"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], int | None]:
        """Return the function that converts the driver's value to an int, None to None."""
        del dialect, coltype
        return lambda value: None if value is None else int(value)


ischema_names["xid8"] = Xid8
