"""Write one event and the next revision for each of several locked artifacts (I6)."""

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
    """Append one event per artifact and raise its revision by one; no other column of the artifact changes.

    ``payload``: the payload of all events, or a function from a row to its own.
    """
    artifacts.write_revisions(connection, {row.id: row.revision + 1 for row in rows})
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
