from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Command(Base):
    """The result of an executed verb under the producer's key, returned again for a second delivery."""

    __tablename__ = "commands"
    __table_args__ = (
        Index("ix_commands_at", "at"),
        # the artifact of a command, or the last of several
        Index(
            "ix_commands_artifact",
            text("COALESCE(result ->> 'artifact', result #>> '{results,-1,artifact}')"),
            "at",
        ),
    )

    tenant: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    item: Mapped[int] = mapped_column(primary_key=True)  # position in a batch, 0 for single verbs
    verb: Mapped[str]
    arguments_hash: Mapped[bytes] = mapped_column(LargeBinary)  # another one under the same key is a conflict
    result: Mapped[dict[str, Any]]  # the JSON of the StoreResult or VerbResult that the first call returned
    at: Mapped[datetime] = mapped_column(server_default=func.now())
