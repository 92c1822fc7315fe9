from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Named, Table, Text, TypedColumns

from models.base import METADATA, TEXTS, TIMESTAMPTZ


class SegmentColumns(TypedColumns):
    """A file with a month of events that was detached."""

    since: Named[datetime] = Column(TIMESTAMPTZ, primary_key=True)  # the beginning of the month
    file: Named[str] = Column(Text, primary_key=True)
    until: Named[datetime] = Column(TIMESTAMPTZ)  # the beginning of the next month
    events: Named[int] = Column(BigInteger)
    size: Named[int] = Column(BigInteger)  # bytes of the file
    sha256: Named[bytes]  # of the file
    ends: Named[Sequence[str]] = Column(TEXTS)  # the position of each cluster's last event, the clusters in their order
    detached_at: Named[datetime] = Column(TIMESTAMPTZ)
    by: Named[str] = Column(Text)


SEGMENTS: Final = Table(
    "segments",
    METADATA,
    SegmentColumns,
)
