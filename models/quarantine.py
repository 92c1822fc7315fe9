from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Quarantine(Base):
    """Bytes without a placement, as reconcile saw them; deleted only when seen twice, never moved."""

    __tablename__ = "quarantine"

    tier: Mapped[str] = mapped_column(primary_key=True)
    location: Mapped[str] = mapped_column(primary_key=True)
    store_version: Mapped[str] = mapped_column(primary_key=True, server_default="")
    size: Mapped[int | None] = mapped_column(BigInteger)  # bytes as listed; null: the store did not tell
    first_seen: Mapped[datetime]
    seen_again: Mapped[datetime | None]  # last seen after the first time
    deleting_at: Mapped[datetime | None]  # when its deletion was decided
