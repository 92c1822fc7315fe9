from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Named, Table, Text, TypedColumns, text

from models.base import METADATA, TIMESTAMPTZ


class QuarantineColumns(TypedColumns):
    """Bytes without a placement, as reconcile saw them; deleted only when seen twice, never moved."""

    tier: Named[str] = Column(Text, primary_key=True)
    location: Named[str] = Column(Text, primary_key=True)
    store_version: Named[str] = Column(Text, primary_key=True, server_default="")
    size: Named[int | None] = Column(BigInteger)  # bytes as listed; null: the store did not tell
    first_seen: Named[datetime] = Column(TIMESTAMPTZ)
    seen_again: Named[datetime | None] = Column(TIMESTAMPTZ)  # last seen after the first time
    deleting_at: Named[datetime | None] = Column(TIMESTAMPTZ)  # when its deletion was decided
    refused_since: Named[datetime | None] = Column(TIMESTAMPTZ)  # the first time its store refused to delete it
    refused_at: Named[datetime | None] = Column(TIMESTAMPTZ)  # the last time
    refusals: Named[int | None]  # how often
    refusal_code: Named[str | None] = Column(Text)  # of the last one: the error's, or the store's own
    refusal: Named[str | None] = Column(Text)  # the store's words


QUARANTINE: Final = Table(
    "quarantine",
    METADATA,
    QuarantineColumns,
    Index("ix_quarantine_refused", "refused_since", postgresql_where=text("refused_since IS NOT NULL")),
)
