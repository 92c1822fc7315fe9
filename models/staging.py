from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Column, Index, Named, Table, Text, TypedColumns, func

from models.base import METADATA, TIMESTAMPTZ


class StagingColumns(TypedColumns):
    """A staged upload in the catalog: taken by a store, or adopted by maintain; deleted after ``expires_at``."""

    name: Named[UUID] = Column(primary_key=True)
    state: Named[str] = Column(Text)  # taken | adopted
    seen_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    expires_at: Named[datetime] = Column(TIMESTAMPTZ)


STAGING: Final = Table(
    "staging",
    METADATA,
    StagingColumns,
    Index("ix_staging_expires_at", "expires_at"),
)
