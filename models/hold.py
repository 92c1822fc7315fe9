from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Named, Table, Text, TypedColumns, func, text

from models.base import METADATA, TIMESTAMPTZ


class HoldColumns(TypedColumns):
    """A named legal hold on an artifact; any number, each name once while active."""

    id: Named[UUID] = Column(primary_key=True)
    artifact_id: Named[UUID] = Column(ForeignKey("artifacts.id"))
    name: Named[str] = Column(Text)
    by: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    released_by: Named[str | None] = Column(Text)
    released_at: Named[datetime | None] = Column(TIMESTAMPTZ)


HOLDS: Final = Table(
    "holds",
    METADATA,
    HoldColumns,
    Index(
        "uq_holds_active",
        "artifact_id",
        "name",
        unique=True,
        postgresql_where=text("released_at IS NULL"),
    ),
)
