from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class History(Base):
    """What stays of an event whose month is detached: append-only (trigger), narrow, of the kinds that are kept."""

    __tablename__ = "history"

    subject: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    type: Mapped[str]
    tenant: Mapped[str | None]
    actor: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    policy: Mapped[str | None]
    run_id: Mapped[UUID | None]
