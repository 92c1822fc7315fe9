from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Named, Table, Text, TypedColumns, func, text

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class RunColumns(TypedColumns):
    """The record of one sweep or bulk job."""

    id: Named[UUID] = Column(primary_key=True)
    kind: Named[str] = Column(Text)
    state: Named[str] = Column(Text, server_default="running")
    dry: Named[bool] = Column(server_default=text("false"))
    tenant: Named[str | None] = Column(Text)
    # its data by kind: the Arguments of catalog/runs.py, or the payload of the event `braked`
    arguments: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))
    as_of: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    counts: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))  # numbers by outcome
    bytes: Named[int] = Column(BigInteger, server_default="0")
    errors: Named[int] = Column(BigInteger, server_default="0")
    actor: Named[str] = Column(Text)
    # decision, by, reason, at; of deletions by policy also the last one
    approval: Named[dict[str, Any] | None] = Column(JSON_OBJECT)
    started_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    seen_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())  # last sign of progress
    finished_at: Named[datetime | None] = Column(TIMESTAMPTZ)


RUNS: Final = Table(
    "runs",
    METADATA,
    RunColumns,
    CheckConstraint(
        "state IN ('running', 'done', 'failed', 'awaiting approval', 'approved', 'rejected', 'abandoned')",
        name="state_known",
    ),
    Index("ix_runs_kind_started_at", "kind", "started_at"),
    Index("ix_runs_running", "kind", postgresql_where=text("state = 'running'")),
    Index("ix_runs_approval", "kind", postgresql_where=text("state IN ('awaiting approval', 'approved')")),
)
