from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, Named, Table, Text, TypedColumns, func, text

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ, Xid8


class EventColumns(TypedColumns):
    """One line of the audit log: append-only (trigger), partitioned by month of ``at``."""

    subject: Named[UUID] = Column(primary_key=True)  # an artifact, a placement, a policy, a run
    revision: Named[int] = Column(BigInteger, primary_key=True)
    at: Named[datetime] = Column(TIMESTAMPTZ, primary_key=True, server_default=func.now())
    type: Named[str] = Column(Text)
    tenant: Named[str | None] = Column(Text)
    workflow: Named[str | None] = Column(Text)
    name: Named[str | None] = Column(Text)
    version: Named[int | None]
    actor: Named[str] = Column(Text)
    before: Named[dict[str, Any] | None] = Column(JSON_OBJECT)  # both by type: the payload classes of tierkeeper/audit
    after: Named[dict[str, Any] | None] = Column(JSON_OBJECT)
    policy: Named[str | None] = Column(Text)  # rule and policy version
    run_id: Named[UUID | None]
    correlation: Named[str | None] = Column(Text)
    age_days: Named[float | None]
    # the order of events (R33): the catalog's server and timeline, and the transaction that wrote the event
    cluster: Named[str] = Column(Text(collation="C"), server_default=text("events_cluster()"))
    xid: Named[int] = Column(Xid8, server_default=text("pg_current_xact_id()"))


EVENTS: Final = Table(
    "events",
    METADATA,
    EventColumns,
    Index("ix_events_at", "at"),
    Index("ix_events_tenant_at", "tenant", "at"),
    Index("ix_events_type_at", "type", "at"),
    Index("ix_events_cluster_xid_subject_revision", "cluster", "xid", "subject", "revision"),
    postgresql_partition_by="RANGE (at)",
)
