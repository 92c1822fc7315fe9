from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from models.base import Base


class Delivery(Base):
    """A message that was redelivered, waits for a store, or is parked. One that succeeds at once has no row."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("key", "arguments_hash"),
        Index("ix_deliveries_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        CheckConstraint("kind IN ('delivery', 'malformed')", name="kind_known"),
        CheckConstraint(
            "kind <> 'malformed' OR (due_at IS NULL AND parked_reason IS NOT NULL)", name="malformed_is_parked"
        ),
        Index("ix_deliveries_malformed", "last_at", postgresql_where=text("kind = 'malformed'")),
        Index("ix_deliveries_skipped", "skipped_at", postgresql_where=text("skipped_by IS NOT NULL")),
        Index("ix_deliveries_parked", "tenant", postgresql_where=text("parked_reason IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str]  # the task id
    arguments_hash: Mapped[bytes] = mapped_column(LargeBinary)
    task: Mapped[str]
    tenant: Mapped[str]  # empty where the arguments name none
    workflow: Mapped[str | None]
    name: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")  # attempts without an outcome
    failures: Mapped[int] = mapped_column(server_default="0")  # reported, consecutive: the exponent of the backoff
    first_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime | None]  # when its message is to be sent again
    waiting_for: Mapped[str | None]
    parked_reason: Mapped[str | None]
    skipped_by: Mapped[str | None]  # the operator who skipped it
    skipped_at: Mapped[datetime | None]
    arguments: Mapped[bytes | None] = mapped_column(LargeBinary)  # JSON, zlib; kept while the message is in no broker
    headers: Mapped[dict[str, Any] | None]  # to be sent with it; of a dead letter {"size": the bytes of all of it}
    staged: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), server_default=text("'{}'::uuid[]"))
    revision: Mapped[int] = mapped_column(server_default="0")
    kind: Mapped[str] = mapped_column(server_default="delivery")  # delivery | malformed (a dead letter)
    broker: Mapped[str | None]  # a dead letter came from it,
    queue: Mapped[str | None]  # through this queue
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)  # the beginning of a dead letter
