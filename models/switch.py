from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Switch(Base):
    """A catalog-wide value, with the actor who set it, the time and the reason.

    ``deletes_enabled`` is checked at every delete; ``epoch`` is the catalog's epoch; ``probe:TIER`` records observed
    behaviour of a tier's server.
    """

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
