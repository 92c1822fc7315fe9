from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Name(Base):
    """The head of (tenant, workflow, name); its row is locked to assign the next version number."""

    __tablename__ = "names"
    __table_args__ = (UniqueConstraint("tenant", "workflow", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    workflow: Mapped[str]
    name: Mapped[str]
    latest_version: Mapped[int]
