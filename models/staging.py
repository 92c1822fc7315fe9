from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class StagedUpload(Base):
    """A staged upload in the catalog: taken by a store, or adopted by maintain; deleted after ``expires_at``."""

    __tablename__ = "staging"
    __table_args__ = (Index("ix_staging_expires_at", "expires_at"),)

    name: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str]  # taken | adopted
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
