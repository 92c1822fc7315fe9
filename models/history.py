from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, Named, Table, Text, TypedColumns

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class HistoryColumns(TypedColumns):
    """What stays of an event whose month is detached: append-only (trigger), narrow, of the kinds that are kept."""

    subject: Named[UUID] = Column(primary_key=True)
    revision: Named[int] = Column(BigInteger, primary_key=True)
    at: Named[datetime] = Column(TIMESTAMPTZ, primary_key=True)
    type: Named[str] = Column(Text)
    tenant: Named[str | None] = Column(Text)
    actor: Named[str] = Column(Text)
    before: Named[dict[str, Any] | None] = Column(JSON_OBJECT)
    after: Named[dict[str, Any] | None] = Column(JSON_OBJECT)
    policy: Named[str | None] = Column(Text)
    run_id: Named[UUID | None]


HISTORY: Final = Table(
    "history",
    METADATA,
    HistoryColumns,
)
