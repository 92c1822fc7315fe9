"""What a catalog tells of the artifacts that came since a moment: how long they waited, how many, what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from tierkeeper.audit.kinds import EventType

#: events of a life in which nothing goes wrong; one that is `placed` got a copy later than its commit
_WRONG: Final = (
    EventType.PLACED,
    EventType.PARKED,
    EventType.DAMAGED,
    EventType.NOT_FOUND,
    EventType.BRAKED,
    EventType.LEFT_OVER,
    EventType.LEFT_ASIDE,
    EventType.ORPHAN_DELETED,
    EventType.DELIVERY_PARKED,
    EventType.DELIVERY_WAITS,
)
_NOW: Final = "SELECT clock_timestamp()"
_COUNTS: Final = "SELECT type, count(*) FROM events WHERE at >= %s GROUP BY type"
_ENDED: Final = """
SELECT (SELECT count(*) FROM artifacts WHERE state = 'purged') >= %s AND NOT EXISTS (SELECT FROM placements)
"""
_CANARIES: Final = "SELECT count(*) FROM heartbeats WHERE name LIKE 'canary:%%' AND at >= %s"
_WAITS: Final = """
SELECT type, minute, count(*), percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY wait)
FROM (
    SELECT e.type, extract(epoch FROM e.at - d.due) AS wait, floor(extract(epoch FROM d.due - %(since)s) / 60) AS minute
    FROM events e
    JOIN artifacts a ON a.id = e.subject
    JOIN (SELECT unnest(%(types)s::text[]) AS type, unnest(%(ages)s::interval[]) AS age) AS step ON step.type = e.type
    CROSS JOIN LATERAL (SELECT a.created_at + step.age AS due) AS d
    WHERE e.at >= %(since)s
) AS waited
GROUP BY GROUPING SETS ((type, minute), (type))
ORDER BY type, minute NULLS LAST
"""
_TROUBLE: Final = """
SELECT 'event ' || type, count(*) FROM events WHERE type = ANY(%s::text[]) GROUP BY type
UNION ALL
SELECT 'artifact parked', count(*) FROM schedule WHERE parked_reason IS NOT NULL HAVING count(*) > 0
UNION ALL
SELECT 'artifact tried again', count(*) FROM schedule WHERE failures > 0 HAVING count(*) > 0
UNION ALL
SELECT 'message kept', count(*) FROM deliveries HAVING count(*) > 0
UNION ALL
SELECT 'run ' || kind || ' ' || state || ' with ' || errors || ' errors', count(*) FROM runs
WHERE errors > 0 OR state NOT IN ('running', 'done') GROUP BY kind, state, errors
"""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long what came due in one minute waited, in seconds; ``minute`` None: in all of them."""

    minute: int | None
    count: int
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the catalog at ``url`` tells."""

    url: str

    def now(self) -> datetime:
        """Return the catalog's time."""
        found: datetime = self._one(_NOW)
        return found

    def ended(self, count: int) -> bool:
        """Return whether so many artifacts are purged, and no copy is left of any."""
        found: bool = self._one(_ENDED, [count])
        return found

    def canaries(self, since: datetime) -> int:
        """Return the number of queues through which a canary came since then."""
        found: int = self._one(_CANARIES, [since])
        return found

    def counts(self, since: datetime) -> Mapping[str, int]:
        """Return the number of events since then, by type."""
        with psycopg.connect(self.url) as connection:
            return dict(connection.execute(_COUNTS, [since]).fetchall())

    def waits(self, ages: Mapping[EventType, timedelta], since: datetime) -> Mapping[str, list[Wait]]:
        """Return, by type of event, how long artifacts of such an age waited for it, by minute and, last, in all."""
        values = {"types": [str(kind) for kind in ages], "ages": [*ages.values()], "since": since}
        found: dict[str, list[Wait]] = {str(kind): [] for kind in ages}
        with psycopg.connect(self.url) as connection:
            for kind, minute, count, (p50, p99) in connection.execute(_WAITS, values):
                found[kind].append(Wait(None if minute is None else int(minute), count, float(p50), float(p99)))
        return found

    def trouble(self) -> Mapping[str, int]:
        """Return what went wrong since the catalog was made, and how often."""
        with psycopg.connect(self.url) as connection:
            return dict(connection.execute(_TROUBLE, [[str(kind) for kind in _WRONG]]).fetchall())

    def _one(self, query: str, values: list[Any] | None = None) -> Any:  # noqa: ANN401  as the database has it
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query, values).fetchone()
        assert row is not None
        return row[0]
