from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Plan(Base):
    """The stored actions of a run to come, with the policy versions that they rest on and an end of validity."""

    __tablename__ = "plans"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    policies: Mapped[dict[str, Any]]  # active: versions by name; candidates: documents that were not active
    arguments: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))  # tenant; null: all
    # rules, refused and brake, each a list of objects (engine/plans/stored.py); empty: not complete, cannot be applied
    summary: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    applied_run_id: Mapped[UUID | None]
