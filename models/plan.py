from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Named, Table, Text, TypedColumns, func, text

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class PlanColumns(TypedColumns):
    """The stored actions of a run to come, with the policy versions that they rest on and an end of validity."""

    id: Named[UUID] = Column(primary_key=True)
    as_of: Named[datetime] = Column(TIMESTAMPTZ)
    # active: versions by name; candidates: documents that were not active
    policies: Named[dict[str, Any]] = Column(JSON_OBJECT)
    arguments: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))  # tenant; null: all
    # rules, refused and brake, each a list of objects (engine/plans/stored.py); empty: not complete, cannot be applied
    summary: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))
    by: Named[str] = Column(Text)
    made_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    expires_at: Named[datetime] = Column(TIMESTAMPTZ)
    applied_run_id: Named[UUID | None]


PLANS: Final = Table(
    "plans",
    METADATA,
    PlanColumns,
)
