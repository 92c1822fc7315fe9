from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class PolicyVersion(Base):
    """One version of a policy. The active one of a name is the newest without ``removed_at``."""

    __tablename__ = "policies"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        Index("uq_policies_active", "name", unique=True, postgresql_where=text("removed_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str | None]
    name: Mapped[str]
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    built_in: Mapped[bool] = mapped_column(server_default=text("false"))
    active_from: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]  # superseded or removed
    by: Mapped[str]
    imported_as: Mapped[str | None]  # the name of the import that made it, or a version before it
