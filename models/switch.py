from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Switch(Base):
    """A catalog-wide value, with the actor who set it, the time and the reason.

    The names, and every statement about them, are in ``tierkeeper/catalog/switches.py``; the shape of a value is in the
    module that it belongs to.
    """

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
