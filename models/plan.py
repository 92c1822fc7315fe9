from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Plan(Base):
    """The stored actions of a run to come, with the policy versions that they rest on and an end of validity."""

    __tablename__ = "plans"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    policies: Mapped[dict[str, Any]]
    arguments: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    summary: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    applied_run_id: Mapped[UUID | None]


class PlanItem(Base):
    """One item of a plan: the action for one artifact at one revision, and its reason."""

    __tablename__ = "plan_items"
    __table_args__ = (Index("ix_plan_items_artifact_id", "artifact_id"),)

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True)
    artifact_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    policy: Mapped[str]  # name and version of the governing policy
    action: Mapped[str]
    target: Mapped[list[str]]
    rule: Mapped[str]
    reason: Mapped[str]
    blocked: Mapped[str] = mapped_column(server_default="")  # why it would be refused
    outcome: Mapped[str | None]  # of the apply
