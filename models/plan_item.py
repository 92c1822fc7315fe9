from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class PlanItem(Base):
    """One item of a plan: the action for one artifact at one revision, and its reason."""

    __tablename__ = "plan_items"
    __table_args__ = (Index("ix_plan_items_artifact_id", "artifact_id"),)

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True)
    artifact_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    policy: Mapped[str]  # name and version of the governing policy
    action: Mapped[str]
    target: Mapped[list[str]]  # tiers, hottest first
    rule: Mapped[str]
    reason: Mapped[str]
    blocked: Mapped[str] = mapped_column(server_default="")  # why it would be refused
    outcome: Mapped[str | None]  # of the apply
