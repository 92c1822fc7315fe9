from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Index, Named, Table, Text, TypedColumns, UniqueConstraint, func, text

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class PolicyColumns(TypedColumns):
    """One version of a policy. The active one of a name is the newest without ``removed_at``."""

    id: Named[UUID] = Column(primary_key=True)
    tenant: Named[str | None] = Column(Text)
    name: Named[str] = Column(Text)
    version: Named[int]
    document: Named[dict[str, Any]] = Column(JSON_OBJECT)
    built_in: Named[bool] = Column(server_default=text("false"))
    active_from: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    removed_at: Named[datetime | None] = Column(TIMESTAMPTZ)  # superseded or removed
    by: Named[str] = Column(Text)
    imported_as: Named[str | None] = Column(Text)  # the name of the import that made it, or a version before it


POLICIES: Final = Table(
    "policies",
    METADATA,
    PolicyColumns,
    UniqueConstraint("name", "version"),
    Index("uq_policies_active", "name", unique=True, postgresql_where=text("removed_at IS NULL")),
)
