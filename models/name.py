from typing import Final
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Named, Table, Text, TypedColumns, UniqueConstraint

from models.base import METADATA


class NameColumns(TypedColumns):
    """The head of (tenant, workflow, name); its row is locked to assign the next version number."""

    id: Named[UUID] = Column(primary_key=True)
    tenant: Named[str] = Column(Text, ForeignKey("tenants.id"))
    workflow: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    latest_version: Named[int]


NAMES: Final = Table(
    "names",
    METADATA,
    NameColumns,
    UniqueConstraint("tenant", "workflow", "name"),
)
