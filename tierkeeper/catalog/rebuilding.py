"""What a catalog read back from a dump has to be told: nobody works on anything, and nothing is deleted soon."""

from datetime import datetime

import sqlalchemy as sa

# an intent's bytes were never committed when the dump was made; if they were later, the store has them
_INTENTS = sa.text("DELETE FROM placements WHERE state = 'copying' OR (state = 'deleting' AND stored_size IS NULL)")
_DELETING = sa.text(
    "UPDATE placements SET state = 'doomed', token = NULL, lease_until = NULL, doomed_at = coalesce(doomed_at, :now),"
    " delete_after = :later WHERE state = 'deleting'"
)
_DOOMED = sa.text(
    "UPDATE placements SET delete_after = greatest(delete_after, CAST(:later AS timestamptz)) WHERE state = 'doomed'"
)
_BARE = sa.text(
    "DELETE FROM blobs b WHERE NOT EXISTS (SELECT FROM placements p WHERE p.blob_id = b.id)"
    " AND NOT EXISTS (SELECT FROM artifacts a WHERE a.blob_id = b.id)"
)
_LEASES = sa.text(
    "UPDATE schedule SET lease_token = NULL, lease_until = NULL, attempts = 0 WHERE lease_token IS NOT NULL"
)
_RUNS = sa.text(
    "UPDATE runs SET state = 'abandoned', finished_at = :now WHERE state = 'running' AND kind <> 'recompute'"
)


def settle(connection: sa.Connection, *, now: datetime, later: datetime) -> None:
    """Drop intents, take deletes back as far as they can be, and end what was at work when the dump was made."""
    connection.execute(_INTENTS)
    connection.execute(_DELETING, {"now": now, "later": later})
    connection.execute(_DOOMED, {"later": later})
    connection.execute(_BARE)
    connection.execute(_LEASES)
    connection.execute(_RUNS, {"now": now})
