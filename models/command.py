from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Index, LargeBinary, Named, Table, Text, TypedColumns, func, text

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class CommandColumns(TypedColumns):
    """The result of an executed verb under the producer's key, returned again for a second delivery."""

    tenant: Named[str] = Column(Text, primary_key=True)
    key: Named[str] = Column(Text, primary_key=True)
    item: Named[int] = Column(primary_key=True)  # position in a batch, 0 for single verbs
    verb: Named[str] = Column(Text)
    arguments_hash: Named[bytes] = Column(LargeBinary)  # another one under the same key is a conflict
    # the JSON of the StoreResult or VerbResult that the first call returned
    result: Named[dict[str, Any]] = Column(JSON_OBJECT)
    at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())


COMMANDS: Final = Table(
    "commands",
    METADATA,
    CommandColumns,
    Index("ix_commands_at", "at"),
    # the artifact of a command, or the last of several
    Index(
        "ix_commands_artifact",
        text("COALESCE(result ->> 'artifact', result #>> '{results,-1,artifact}')"),
        "at",
    ),
)
