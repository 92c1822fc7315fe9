"""Corrects an older catalog: ends the work that it records as under way, and postpones its deletes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog.statements import listed, typed


@dataclass(frozen=True, slots=True)
class InterruptedIntent:
    """A copy that was about to be written."""

    id: UUID
    blob: UUID
    tier: str
    location: str


_COLUMNS = listed(InterruptedIntent.__dataclass_fields__, blob="blob_id")
# an intent's bytes were not committed when the copy was made; if they were later, they may be the only ones by now
_INTENTS = sa.text(f"""
    DELETE FROM placements
    WHERE state = 'copying' OR (state = 'deleting' AND stored_size IS NULL)
    RETURNING {_COLUMNS}
""")
_ENDED = sa.text(f"""
    SELECT {_COLUMNS}
    FROM placements
    WHERE state = 'copying' AND lease_until <= statement_timestamp() AND made_at < :before
""")
_AT_WORK = sa.text("""
    SELECT count(*)
    FROM placements
    WHERE state = 'copying' AND lease_until > statement_timestamp() AND made_at < :before
""")
_DROP = sa.text(f"""
    DELETE FROM placements
    WHERE id = ANY(:ids) AND state = 'copying' AND lease_until <= statement_timestamp()
    RETURNING {_COLUMNS}
""")
_DELETING = sa.text("""
    UPDATE placements
    SET state = 'doomed', token = NULL, lease_until = NULL, doomed_at = coalesce(doomed_at, :now),
        delete_after = :later
    WHERE state = 'deleting'
""")
_DOOMED = sa.text(
    "UPDATE placements SET delete_after = greatest(delete_after, :later) WHERE state = 'doomed'"
).bindparams(*typed(later="timestamptz"))
_BARE = sa.text("""
    DELETE FROM blobs b
    WHERE NOT EXISTS (SELECT FROM placements p WHERE p.blob_id = b.id)
        AND NOT EXISTS (SELECT FROM artifacts a WHERE a.blob_id = b.id)
""")
_LEASES = sa.text(
    "UPDATE schedule SET lease_token = NULL, lease_until = NULL, attempts = 0 WHERE lease_token IS NOT NULL"
)
_RUNS = sa.text(
    "UPDATE runs SET state = 'abandoned', finished_at = :now WHERE state = 'running' AND kind <> 'recompute'"
)


def end_unfinished(connection: sa.Connection, *, now: datetime, later: datetime) -> list[InterruptedIntent]:
    """Drop intents, make copies being deleted doomed again, and end leases and runs; return the intents."""
    dropped = _intents(connection.execute(_INTENTS))
    connection.execute(_DELETING, {"now": now, "later": later})
    connection.execute(_DOOMED, {"later": later})
    connection.execute(_BARE)
    connection.execute(_LEASES)
    connection.execute(_RUNS, {"now": now})
    return dropped


def ended_intents(connection: sa.Connection, *, before: datetime) -> list[InterruptedIntent]:
    """Return the intents made before a moment whose lease has ended."""
    return _intents(connection.execute(_ENDED, {"before": before}))


def intents_at_work(connection: sa.Connection, *, before: datetime) -> int:
    """Return how many intents made before a moment have a lease that has not ended."""
    return int(connection.execute(_AT_WORK, {"before": before}).scalar_one())


def drop_intents(connection: sa.Connection, ids: Collection[UUID]) -> list[InterruptedIntent]:
    """Drop these intents, whose blobs are locked, except those that were committed or leased again."""
    return _intents(connection.execute(_DROP, {"ids": list(ids)}))


def _intents(rows: sa.CursorResult[*tuple[Any, ...]]) -> list[InterruptedIntent]:
    return [InterruptedIntent(*row) for row in rows]
