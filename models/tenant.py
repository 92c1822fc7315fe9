from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Named, Table, Text, TypedColumns, func, text

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class TenantColumns(TypedColumns):
    """A tenant; its dedup scope is fixed at its first store."""

    id: Named[str] = Column(Text, primary_key=True)  # the tenant's name
    scope: Named[str] = Column(Text)  # dedup scope; equal to the id unless configured
    key_reference: Named[str | None] = Column(Text)
    state: Named[str] = Column(Text, server_default="active")
    budgets: Named[dict[str, Any]] = Column(JSON_OBJECT, server_default=text("'{}'::jsonb"))
    created_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())


TENANTS: Final = Table(
    "tenants",
    METADATA,
    TenantColumns,
)
