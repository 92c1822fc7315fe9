from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Run(Base):
    """The record of one sweep or bulk job."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(
            "state IN ('running', 'done', 'failed', 'awaiting approval', 'approved', 'rejected', 'abandoned')",
            name="state_known",
        ),
        Index("ix_runs_kind_started_at", "kind", "started_at"),
        Index("ix_runs_running", "kind", postgresql_where=text("state = 'running'")),
        Index("ix_runs_approval", "kind", postgresql_where=text("state IN ('awaiting approval', 'approved')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="running")
    dry: Mapped[bool] = mapped_column(server_default=text("false"))
    tenant: Mapped[str | None]
    # its data by kind: the Arguments of catalog/runs.py, or the payload of the event `braked`
    arguments: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    as_of: Mapped[datetime] = mapped_column(server_default=func.now())
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))  # numbers by outcome
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    errors: Mapped[int] = mapped_column(BigInteger, server_default="0")
    actor: Mapped[str]
    approval: Mapped[dict[str, Any] | None]  # decision, by, reason, at; of deletions by policy also the last one
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())  # last sign of progress
    finished_at: Mapped[datetime | None]
