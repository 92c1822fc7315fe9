from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Xid8


class Event(Base):
    """One line of the audit log: append-only (trigger), partitioned by month of ``at``."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_at", "at"),
        Index("ix_events_tenant_at", "tenant", "at"),
        Index("ix_events_type_at", "type", "at"),
        Index("ix_events_cluster_xid_subject_revision", "cluster", "xid", "subject", "revision"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    subject: Mapped[UUID] = mapped_column(primary_key=True)  # an artifact, a placement, a policy, a run
    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    type: Mapped[str]
    tenant: Mapped[str | None]
    workflow: Mapped[str | None]
    name: Mapped[str | None]
    version: Mapped[int | None]
    actor: Mapped[str]
    before: Mapped[dict[str, Any] | None]  # both by type: the payload classes of tierkeeper/audit
    after: Mapped[dict[str, Any] | None]
    policy: Mapped[str | None]  # rule and policy version
    run_id: Mapped[UUID | None]
    correlation: Mapped[str | None]
    age_days: Mapped[float | None]
    # the order of events (R33): the catalog's server and timeline, and the transaction that wrote the event
    cluster: Mapped[str] = mapped_column(Text(collation="C"), server_default=text("events_cluster()"))
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
