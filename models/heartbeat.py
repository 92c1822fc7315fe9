from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Named, Table, Text, TypedColumns, text

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class HeartbeatColumns(TypedColumns):
    """The latest sign of progress of one kind: a canary that came through a queue, or recent work of converge."""

    name: Named[str] = Column(Text, primary_key=True)  # canary:QUEUE, or done:SLOT with one of a few slots
    at: Named[datetime] = Column(TIMESTAMPTZ)
    sent_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    # of canaries: since when they come without a break, and when the last came that a process of this release took
    since: Named[datetime | None] = Column(TIMESTAMPTZ)
    counted_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    # of done: how many artifacts waited up to so many seconds, by the exponent of the power of two
    counts: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))


HEARTBEATS: Final = Table(
    "heartbeats",
    METADATA,
    HeartbeatColumns,
)
