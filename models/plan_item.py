from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Named, Table, Text, TypedColumns

from models.base import METADATA, TEXTS


class PlanItemColumns(TypedColumns):
    """One item of a plan: the action for one artifact at one revision, and its reason."""

    plan_id: Named[UUID] = Column(ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True)
    artifact_id: Named[UUID] = Column(primary_key=True)
    revision: Named[int] = Column(BigInteger)
    policy: Named[str] = Column(Text)  # name and version of the governing policy
    action: Named[str] = Column(Text)
    target: Named[Sequence[str]] = Column(TEXTS)  # tiers, hottest first
    rule: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    blocked: Named[str] = Column(Text, server_default="")  # why it would be refused
    outcome: Named[str | None] = Column(Text)  # of the apply


PLAN_ITEMS: Final = Table(
    "plan_items",
    METADATA,
    PlanItemColumns,
    Index("ix_plan_items_artifact_id", "artifact_id"),
)
