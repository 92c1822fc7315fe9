"""Write one event for each of some artifacts that are locked, and the revision that it gives them (I6)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import ArtifactPayload
from tierkeeper.base.callers import Caller
from tierkeeper.catalog import artifacts, events
from tierkeeper.catalog.rows import ArtifactRow


def record(
    connection: sa.Connection,
    rows: Sequence[ArtifactRow],
    payload: ArtifactPayload | Callable[[ArtifactRow], ArtifactPayload],
    *,
    now: datetime,
    caller: Caller,
    run: UUID | None = None,
) -> None:
    """Append the events, and raise the revisions of the artifacts; nothing else of these changes.

    ``payload``: the same of every artifact, or what gives each its own.
    """
    artifacts.write_many(connection, [{"id": row.id, "revision": row.revision + 1} for row in rows])
    lines = [
        events.of_artifact(
            row,
            payload(row) if callable(payload) else payload,
            revision=row.revision + 1,
            now=now,
            actor=caller.actor,
            run=run,
        )
        for row in rows
    ]
    events.append(connection, lines, at=now)
