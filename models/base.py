"""The base of all tables: names of constraints, time stamps with a zone, UUIDv7 keys made by the application."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Dialect, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import UserDefinedType

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


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


class Base(DeclarativeBase):
    """The declarative base; Python types map to PostgreSQL's."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        str: Text(),
        list[str]: ARRAY(Text()),
        dict[str, Any]: JSONB(none_as_null=True),
    }
