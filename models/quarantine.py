from datetime import datetime

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Quarantine(Base):
    """Bytes without a placement, as reconcile saw them; deleted only when seen twice, never moved."""

    __tablename__ = "quarantine"
    __table_args__ = (
        Index("ix_quarantine_refused", "refused_since", postgresql_where=text("refused_since IS NOT NULL")),
    )

    tier: Mapped[str] = mapped_column(primary_key=True)
    location: Mapped[str] = mapped_column(primary_key=True)
    store_version: Mapped[str] = mapped_column(primary_key=True, server_default="")
    size: Mapped[int | None] = mapped_column(BigInteger)  # bytes as listed; null: the store did not tell
    first_seen: Mapped[datetime]
    seen_again: Mapped[datetime | None]  # last seen after the first time
    deleting_at: Mapped[datetime | None]  # when its deletion was decided
    refused_since: Mapped[datetime | None]  # the first time its store refused to delete it
    refused_at: Mapped[datetime | None]  # the last time
    refusals: Mapped[int | None]  # how often
    refusal_code: Mapped[str | None]  # of the last one: the error's, or the store's own
    refusal: Mapped[str | None]  # the store's words
