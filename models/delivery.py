from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class DeliveryColumns(TypedColumns):
    """A message that was redelivered, waits for a store, or is parked. One that succeeds at once has no row."""

    id: Named[UUID] = Column(primary_key=True)
    key: Named[str] = Column(Text)  # the task id
    arguments_hash: Named[bytes] = Column(LargeBinary)
    task: Named[str] = Column(Text)
    tenant: Named[str] = Column(Text)  # empty where the arguments name none
    workflow: Named[str | None] = Column(Text)
    name: Named[str | None] = Column(Text)
    attempts: Named[int] = Column(server_default="0")  # attempts without an outcome
    failures: Named[int] = Column(server_default="0")  # reported, consecutive: the exponent of the backoff
    first_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    last_at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())
    due_at: Named[datetime | None] = Column(TIMESTAMPTZ)  # when its message is to be sent again
    waiting_for: Named[str | None] = Column(Text)
    parked_reason: Named[str | None] = Column(Text)
    skipped_by: Named[str | None] = Column(Text)  # the operator who skipped it
    skipped_at: Named[datetime | None] = Column(TIMESTAMPTZ)
    arguments: Named[bytes | None] = Column(LargeBinary)  # JSON, zlib; kept while the message is in no broker
    # to be sent with it; of a dead letter {"size": the bytes of all of it}
    headers: Named[dict[str, Any] | None] = Column(JSON_OBJECT)
    staged: Named[Sequence[UUID]] = Column(ARRAY(Uuid()), server_default=text("'{}'::uuid[]"))
    revision: Named[int] = Column(server_default="0")
    kind: Named[str] = Column(Text, server_default="delivery")  # delivery | malformed (a dead letter)
    broker: Named[str | None] = Column(Text)  # a dead letter came from it,
    queue: Named[str | None] = Column(Text)  # through this queue
    raw: Named[bytes | None] = Column(LargeBinary)  # the beginning of a dead letter


DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    DeliveryColumns,
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
