"""The invariants as queries of a catalog in use. Each returns the number of violations and an example."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tierkeeper.catalog import future
from tierkeeper.catalog.conditions import DAMAGED, READABLE, REFUSED, SUSPECT, UNREADABLE, UNVOUCHED, due
from tierkeeper.catalog.database import take_time

_TWICE_PRESENT = """
    SELECT blob_id || ' in ' || tier
    FROM placements
    WHERE state = 'present'
    GROUP BY blob_id, tier
    HAVING count(*) > 1
"""
_RECENT = "SELECT DISTINCT subject FROM events WHERE at >= :since"
_REPEATED = f"""
    SELECT 'revision ' || e.revision || ' of ' || e.subject
    FROM events e JOIN ({_RECENT}) AS r USING (subject)
    GROUP BY e.subject, e.revision
    HAVING count(*) > 1
"""
#: earlier events were detached: those before an artifact's first one here are in files
_CUT = "(SELECT max(until) FROM segments)"
_GAPS = f"""
    SELECT 'artifact ' || a.id || ' at revision ' || a.revision
    FROM ({_RECENT}) AS r
        JOIN artifacts a ON a.id = r.subject
        CROSS JOIN LATERAL (
            SELECT count(*) AS lines, min(e.revision) AS first, max(e.revision) AS last
            FROM events e
            WHERE e.subject = a.id
        ) AS found
    WHERE found.last <> a.revision
        OR found.lines <> a.revision - CASE WHEN a.stored_at < {_CUT} THEN found.first - 1 ELSE 0 END
"""
_SILENT = """
    SELECT 'artifact ' || a.id
    FROM artifacts a
    WHERE a.stored_at >= :since
        AND NOT EXISTS (SELECT FROM events e WHERE e.subject = a.id)
        AND NOT EXISTS (SELECT FROM history h WHERE h.subject = a.id)
"""
_CROSSED = """
    SELECT 'artifact ' || a.id || ' of ' || a.tenant
    FROM artifacts a JOIN blobs b ON b.id = a.blob_id JOIN tenants t ON t.id = a.tenant
    WHERE b.scope <> t.scope OR b.sha256 <> a.sha256 OR b.size <> a.size
"""
_BARE = """
    SELECT 'blob ' || b.id
    FROM blobs b
    WHERE NOT EXISTS (SELECT FROM placements p WHERE p.blob_id = b.id)
        AND NOT EXISTS (SELECT FROM artifacts a WHERE a.blob_id = b.id)
"""
_UNREADABLE = f"""
    SELECT n.tenant || '/' || n.workflow || '/' || n.name || '@' || a.version
    FROM artifacts a JOIN names n ON n.id = a.name_id
    WHERE a.state <> 'purged'
        AND NOT EXISTS (
            SELECT FROM placements p
            WHERE p.blob_id = a.blob_id AND {READABLE}
        )
"""
_UNWATCHED = """
    SELECT n.tenant || '/' || n.workflow || '/' || n.name || '@' || a.version
    FROM artifacts a JOIN names n ON n.id = a.name_id
    WHERE a.state = 'deleted'
        AND a.purge_at < :since
        AND NOT EXISTS (SELECT FROM schedule s WHERE s.artifact_id = a.id)
        AND NOT EXISTS (SELECT FROM holds h WHERE h.artifact_id = a.id AND h.released_at IS NULL)
"""
_BROKEN = f"""
    SELECT n.tenant || '/' || n.workflow || '/' || n.name || '@' || a.version
    FROM artifacts a JOIN names n ON n.id = a.name_id
    WHERE {UNREADABLE}
"""
_COPIES = "SELECT tier || '/' || location FROM placements WHERE"
_WORDS = """
    ': ' || refusal_code || ': ' || refusal
        || ' (' || refusals || ' times since ' || to_char(refused_since, 'YYYY-MM-DD HH24:MI') || ')'
"""
_REFUSED = f"""
    SELECT tier || '/' || location || {_WORDS}
    FROM placements
    WHERE {REFUSED}
    ORDER BY refused_since
"""
_REFUSED_ORPHANS = f"""
    SELECT tier || '/' || location || {_WORDS}
    FROM quarantine
    WHERE refused_since IS NOT NULL
    ORDER BY refused_since
"""
_PARKED = "SELECT parked_reason FROM schedule WHERE parked_reason IS NOT NULL"
_OVERDUE = f"""
    SELECT artifact_id || ' since ' || to_char(due_at, 'YYYY-MM-DD HH24:MI')
    FROM schedule
    WHERE {due(":late")}
    ORDER BY due_at
"""
_WAITING = "SELECT kind || ' ' || id FROM runs WHERE state = 'awaiting approval'"
_DEFAULTED = "SELECT to_char(at, 'YYYY-MM') FROM events_default"

#: the queries by the name of what they find
QUESTIONS: Mapping[str, str] = {
    "copies present twice": _TWICE_PRESENT,
    "events repeated": _REPEATED,
    "events missing": _GAPS,
    "artifacts without an event": _SILENT,
    "content of another tenant": _CROSSED,
    "blobs of nothing": _BARE,
    "artifacts without a readable copy": _UNREADABLE,
    "deleted and never due": _UNWATCHED,
    "rows that cannot be read": _BROKEN,
    "times from the future": future.QUESTION,
    "damaged copies": f"{_COPIES} {DAMAGED}",
    "copies that nobody vouches for": f"{_COPIES} {UNVOUCHED}",
    "copies that were not found": f"{_COPIES} {SUSPECT}",
    "copies that a store does not delete": _REFUSED,
    "orphans that a store does not delete": _REFUSED_ORPHANS,
    "parked": _PARKED,
    "overdue": _OVERDUE,
    "awaiting approval": _WAITING,
    "events outside their month": _DEFAULTED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The number of findings, and the first of them."""

    count: int
    example: str | None


def ask(connection: sa.Connection, question: str, *, since: datetime, late: datetime, ahead: datetime) -> Answer:
    """Ask one of :data:`QUESTIONS`: of events from ``since`` on, what was due by ``late``, times after ``ahead``."""
    query = f"SELECT count(*) AS number, (array_agg(found))[1] AS example FROM ({QUESTIONS[question]}) AS q(found)"
    given: dict[str, Any] = {"since": since, "late": late, "future": ahead}
    take_time(connection)  # it may look at every row of a table
    row = connection.execute(sa.text(query), {name: v for name, v in given.items() if f":{name}" in query}).one()
    return Answer(row.number, row.example)
