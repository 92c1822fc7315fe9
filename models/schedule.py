from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Schedule(Base):
    """One narrow row per artifact with a next step: its time and lease. Claims and renewals write only here."""

    __tablename__ = "schedule"
    __table_args__ = (
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
        {"postgresql_with": {"fillfactor": "70"}},  # claims rewrite rows in place
    )

    artifact_id: Mapped[UUID] = mapped_column(ForeignKey("artifacts.id"), primary_key=True)
    tenant: Mapped[str]
    due_at: Mapped[datetime]
    step: Mapped[str]  # the next step, in words
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")  # reported, consecutive: the exponent of the backoff
    parked_reason: Mapped[str | None]
    deletes: Mapped[str | None]  # the policy that deletes it with this step
    braked_by: Mapped[UUID | None]  # the run that awaits an approval of this deletion; no claim takes the row
    approved_by: Mapped[UUID | None]  # the run whose approval allows this deletion
    # the last failed try, while `failures` is above 0: the error's code, its tier, its words, when
    failed_code: Mapped[str | None]
    failed_tier: Mapped[str | None]
    failed_words: Mapped[str | None]
    failed_at: Mapped[datetime | None]
