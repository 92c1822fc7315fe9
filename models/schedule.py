from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Named, Table, Text, TypedColumns, text

from models.base import METADATA, TIMESTAMPTZ


class ScheduleColumns(TypedColumns):
    """One narrow row per artifact with a next step: its time and lease. Claims and renewals write only here."""

    artifact_id: Named[UUID] = Column(ForeignKey("artifacts.id"), primary_key=True)
    tenant: Named[str] = Column(Text)
    due_at: Named[datetime] = Column(TIMESTAMPTZ)
    step: Named[str] = Column(Text)  # the next step, in words
    lease_token: Named[UUID | None]
    lease_until: Named[datetime | None] = Column(TIMESTAMPTZ)
    attempts: Named[int] = Column(server_default="0")
    failures: Named[int] = Column(server_default="0")  # reported, consecutive: the exponent of the backoff
    parked_reason: Named[str | None] = Column(Text)
    deletes: Named[str | None] = Column(Text)  # the policy that deletes it with this step
    braked_by: Named[UUID | None]  # the run that awaits an approval of this deletion; no claim takes the row
    approved_by: Named[UUID | None]  # the run whose approval allows this deletion
    # the last failed try, while `failures` is above 0: the error's code, its tier, its words, when
    failed_code: Named[str | None] = Column(Text)
    failed_tier: Named[str | None] = Column(Text)
    failed_words: Named[str | None] = Column(Text)
    failed_at: Named[datetime | None] = Column(TIMESTAMPTZ)


SCHEDULE: Final = Table(
    "schedule",
    METADATA,
    ScheduleColumns,
    Index("ix_schedule_due_at", "due_at", postgresql_where=text("parked_reason IS NULL AND braked_by IS NULL")),
    Index("ix_schedule_parked", "tenant", postgresql_where=text("parked_reason IS NOT NULL")),
    Index(
        "ix_schedule_deletes",
        "tenant",
        "due_at",
        "deletes",
        postgresql_where=text("deletes IS NOT NULL AND approved_by IS NULL AND parked_reason IS NULL"),
    ),
    Index(
        "ix_schedule_braked_by",
        "braked_by",
        "due_at",
        "artifact_id",
        postgresql_where=text("braked_by IS NOT NULL"),
    ),
    Index("ix_schedule_failing", "failed_tier", "failed_code", postgresql_where=text("failures > 0")),
    Index("ix_schedule_approved_by", "approved_by", postgresql_where=text("approved_by IS NOT NULL")),
    postgresql_with={"fillfactor": "70"},  # claims rewrite rows in place
)
