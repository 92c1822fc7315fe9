from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Heartbeat(Base):
    """A sign of progress, the last of its kind: canaries that came through a queue, what converge got done lately."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)  # canary:QUEUE; done:SLOT, of which a few are used in turn
    at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
