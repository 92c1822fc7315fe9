"""Write one event for each of some artifacts that are locked, and the revision that it gives them (I6)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog import artifacts, events
from tierkeeper.catalog.rows import ArtifactRow

#: what an event says: the same of every artifact, or of each its own
Detail = Mapping[str, Any] | Callable[[ArtifactRow], Mapping[str, Any]] | None


def record(
    connection: sa.Connection,
    rows: Sequence[ArtifactRow],
    type_: str,
    *,
    now: datetime,
    actor: str,
    before: Detail = None,
    after: Detail = None,
    run: UUID | None = None,
) -> None:
    """Append the events, and raise the revisions of the artifacts; nothing else of these changes."""
    artifacts.write_many(connection, [{"id": row.id, "revision": row.revision + 1} for row in rows])
    lines = [
        events.of_artifact(
            row,
            type_,
            revision=row.revision + 1,
            now=now,
            actor=actor,
            before=_of(before, row),
            after=_of(after, row),
            run=run,
        )
        for row in rows
    ]
    events.append(connection, lines, at=now)


def _of(detail: Detail, row: ArtifactRow) -> Mapping[str, Any] | None:
    return detail(row) if callable(detail) else detail
