"""The table `history`: what stays in the catalog of events whose months are detached.

An event that stays is written here before its month is detached, so for a while, or after a rebuild, it stands in both
places: whoever asks both asks the events first, and finds it once.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from models.history import HISTORY
from tierkeeper.audit.kept import KEPT
from tierkeeper.catalog import events
from tierkeeper.catalog.partitions import Month
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.catalog.statements import listed, typed
from tierkeeper.values.events import EventView

_LIMIT: Final = 5000
_KEPT: Final = sorted(KEPT)
_COLUMNS: Final = HISTORY.c.keys()
_KEEP = sa.text(f"""
    WITH page AS MATERIALIZED (
        SELECT {listed(_COLUMNS)}
        FROM events
        WHERE at >= :since
            AND at < :until
            AND (at, subject, revision) > (:at, :subject, :revision)
            AND type = ANY(:kept)
        ORDER BY at, subject, revision LIMIT :limit
    ),
    written AS (
        INSERT INTO history ({listed(_COLUMNS)})
        SELECT {listed(_COLUMNS)} FROM page
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT at, subject, revision
    FROM page
    ORDER BY at DESC, subject DESC, revision DESC LIMIT 1
""").bindparams(
    *typed(since="timestamptz", until="timestamptz", at="timestamptz", subject="uuid", revision="bigint", kept="text[]")
)
_LACKING = sa.text(f"""
    SELECT count(*)
    FROM events e
    WHERE e.at >= :since
        AND e.at < :until
        AND e.type = ANY(:kept)
        AND NOT EXISTS (
            SELECT FROM history h
            WHERE h.subject = e.subject
                AND h.revision = e.revision
                AND h.at = e.at
                AND ({listed(_COLUMNS[3:], table="h")}) IS NOT DISTINCT FROM ({listed(_COLUMNS[3:], table="e")})
        )
""").bindparams(*typed(since="timestamptz", until="timestamptz", kept="text[]"))
_OF = sa.text(f"""
    SELECT {listed(_COLUMNS)}
    FROM history
    WHERE subject = :subject
    ORDER BY revision, at LIMIT :limit
""")

#: where a walk over a month's events stands: the key of the last one
Reached = Mapping[str, Any]


def keep(connection: sa.Connection, month: Month, reached: Reached | None, *, limit: int = _LIMIT) -> Reached | None:
    """Write the next events of a month that stay, after the walk ``reached``; return where it stands, None at the end.

    Those that are there already stay as they are.
    """
    begin = {"at": month.since, "subject": UUID(int=0), "revision": 0}
    given = {**(reached or begin), "since": month.since, "until": month.until, "kept": _KEPT, "limit": limit}
    row = connection.execute(_KEEP, given).one_or_none()
    return None if row is None else {"at": row.at, "subject": row.subject, "revision": row.revision}


def lacking(connection: sa.Connection, month: Month) -> int:
    """Return how many events of a month that stay are not here as they are in it."""
    given = {"since": month.since, "until": month.until, "kept": _KEPT}
    return int(connection.execute(_LACKING, given).scalar_one())


def of_artifact(connection: sa.Connection, row: ArtifactRow, *, limit: int) -> tuple[EventView, ...]:
    """Return an artifact's first events, the oldest first: those of the audit log, and what stays of others."""
    found = {
        (e.revision, e.at): e for e in events.query(connection, subjects=[row.id], newest_first=False, limit=limit)
    }
    for kept in connection.execute(_OF, {"subject": row.id, "limit": limit}):
        found.setdefault((kept.revision, kept.at), _view(kept, row))
    return tuple(sorted(found.values(), key=_time)[:limit])


def _view(kept: Any, row: ArtifactRow) -> EventView:  # noqa: ANN401  a row of a text
    return EventView(
        subject=kept.subject,
        revision=kept.revision,
        at=kept.at,
        type=kept.type,
        tenant=kept.tenant,
        actor=kept.actor,
        before=kept.before,
        after=kept.after,
        policy=kept.policy,
        run=kept.run_id,
        workflow=row.workflow,
        name=row.name,
        version=row.version,
        correlation=None,
        age_days=events.age_days(row, kept.at),
    )


def _time(event: EventView) -> tuple[datetime, int]:
    return event.at, event.revision
