from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Heartbeat(Base):
    """The latest sign of progress of one kind: a canary that came through a queue, or recent work of converge."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)  # canary:QUEUE, or done:SLOT with one of a few slots
    at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    # of canaries: since when they come without a break, and when the last came that a process of this release took
    since: Mapped[datetime | None]
    counted_at: Mapped[datetime | None]
    # of done: how many artifacts waited up to so many seconds, by the exponent of the power of two
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
