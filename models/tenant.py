from datetime import datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Tenant(Base):
    """A tenant; its dedup scope is fixed at its first store."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(primary_key=True)  # the tenant's name
    scope: Mapped[str]  # dedup scope; equal to the id unless configured
    key_reference: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="active")
    budgets: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
