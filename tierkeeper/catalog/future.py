"""Times of signs and leases further ahead than any of them is ever set: a clock was ahead when they were written.

None of them counts as fresh where it is compared. They are counted and cleared here, as some would lie there for good.
"""

from datetime import datetime
from typing import Final

import sqlalchemy as sa

from models.artifact import END_OF_TIME

#: by column: what it becomes. A copy is read and an orphan noticed again. An artifact counts as read just now: when it
#: was read is not known, and that makes nothing due
_CLEARED: Final = {
    "schedule.lease_until": "NULL",
    "placements.lease_until": "clock_timestamp()",
    "placements.verified_at": "NULL",
    # the time to undelete begins now
    "placements.delete_after": "clock_timestamp() + (delete_after - doomed_at), doomed_at = clock_timestamp()",
    "artifacts.accessed_at": "clock_timestamp()",
    "runs.seen_at": "clock_timestamp()",
    "runs.started_at": "clock_timestamp()",
    "runs.finished_at": "clock_timestamp()",
    # what it tells is due at a time that has not come
    "plans.made_at": "clock_timestamp(), expires_at = clock_timestamp()",
    "heartbeats.at": "clock_timestamp() - interval '1 day'",
    "deliveries.due_at": "clock_timestamp()",
    "deliveries.last_at": "clock_timestamp()",
    "staging.expires_at": "clock_timestamp()",
    "quarantine.first_seen": "clock_timestamp()",
    "quarantine.seen_again": "NULL",
}
#: a retry that a clock put off: what a policy makes due may be years ahead
_RETRIES: Final = "schedule.due_at"
_CONDITIONS: Final = {name: f"{name.partition('.')[2]} > :future" for name in _CLEARED} | {
    _RETRIES: "failures > 0 AND due_at > :future",
    "artifacts.accessed_at": f"accessed_at > :future AND accessed_at < {END_OF_TIME}",
    "placements.delete_after": "state = 'doomed' AND doomed_at > :future",
}
#: a query of what is found, as those of :mod:`tierkeeper.catalog.doctor`
QUESTION: Final = " UNION ALL ".join(
    f"SELECT '{name} at ' || to_char({name}, 'YYYY-MM-DD') FROM {name.partition('.')[0]} WHERE {found}"
    for name, found in _CONDITIONS.items()
)
#: what follows from the time of an artifact's read is decided again
_DECIDED_AGAIN: Final = sa.text(f"""
    UPDATE schedule
    SET due_at = clock_timestamp()
    WHERE due_at > statement_timestamp()
        AND failures = 0
        AND artifact_id IN (SELECT id FROM artifacts WHERE {_CONDITIONS["artifacts.accessed_at"]})
""")


def clear(connection: sa.Connection, *, future: datetime, dry_run: bool) -> dict[str, int]:
    """Clear the times later than ``future``; return how many by table and column."""
    counts = {}
    if not dry_run:
        connection.execute(_DECIDED_AGAIN, {"future": future})
    for name, found in _CONDITIONS.items():
        table, _, column = name.partition(".")
        if dry_run:
            statement = f"SELECT FROM {table} WHERE {found}"
        else:
            statement = f"UPDATE {table} SET {column} = {_CLEARED.get(name, 'clock_timestamp()')} WHERE {found}"
        if count := connection.execute(sa.text(statement), {"future": future}).rowcount:
            counts[name] = count
    return counts
