from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Switch(Base):
    """What is asked at every delete: ``deletes_enabled``; the catalog's ``epoch``; who set it, when and why.

    And what the server of a tier was seen to do: ``probe:TIER``.
    """

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
