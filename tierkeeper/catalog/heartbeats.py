"""Signs of progress: canaries that came through, and what converge did in the last hour, by how late it was."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from tierkeeper.catalog.statements import typed

SLOT: Final = 300  # seconds of one row; the rows of two hours are used in turn
SLOTS: Final = 24
LONGEST: Final = 24  # power of two of seconds: everything beyond half a year is the same
_CANARY: Final = "canary:"
_DONE: Final = "done:"

_BEAT = sa.text("""
    INSERT INTO heartbeats AS h (name, at, sent_at, since, counted_at)
    SELECT :name, t.now, :sent_at, t.now, t.now
    FROM (SELECT clock_timestamp() AS now) AS t
    ON CONFLICT (name)
    -- the time is read once more, after the lock of the row: another canary may have waited for it less long
    DO UPDATE SET (at, sent_at, counted_at, since) = (
        SELECT t.now, excluded.sent_at, t.now,
            -- a time from the future, by a clock that was ahead, breaks the series too
            CASE WHEN h.counted_at BETWEEN t.now - CAST(:apart AS interval) AND t.now THEN h.since ELSE t.now END
        FROM (SELECT clock_timestamp() AS now) AS t
    )
""").bindparams(*typed(name="text", sent_at="timestamptz"))
_REACHED = sa.text("""
    SELECT min(least(sent_at, at))
    FROM heartbeats
    WHERE name = ANY(:names)
        AND counted_at BETWEEN statement_timestamp() - CAST(:apart AS interval) AND statement_timestamp()
        AND sent_at IS NOT NULL
        AND least(sent_at, at) >= since + CAST(:quiet AS interval)
    HAVING count(*) = :queues
""").bindparams(*typed(names="text[]"))
_ADD = sa.text("""
    INSERT INTO heartbeats AS h (name, at, counts)
    SELECT :prefix || slot % :slots, to_timestamp(slot * :seconds), :counts
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) / :seconds)::bigint AS slot) AS t
    ON CONFLICT (name)
    DO UPDATE SET at = excluded.at,
        counts = CASE
            WHEN h.at <> excluded.at THEN excluded.counts
            ELSE h.counts || (
                SELECT coalesce(
                    jsonb_object_agg(w.key, w.value::bigint + coalesce((h.counts ->> w.key)::bigint, 0)),
                    '{}'::jsonb
                )
                FROM jsonb_each_text(excluded.counts) AS w
            )
        END
""").bindparams(*typed(prefix="text", counts="jsonb"))
_CANARIES = sa.text("""
    SELECT name, at, sent_at
    FROM heartbeats
    -- one from the future, by a clock that was ahead, came through at a time that is not known
    WHERE name LIKE 'canary:%' AND at <= statement_timestamp() + interval '1 minute'
""")
_LATELY = sa.text("""
    SELECT at, counts
    FROM heartbeats
    WHERE name LIKE 'done:%' AND at BETWEEN statement_timestamp() - CAST(:within AS interval) AND statement_timestamp()
    ORDER BY at
""")


@dataclass(frozen=True, slots=True)
class Canary:
    """A queue's last canary: the time it was sent (by the sender's clock) and the time it came through."""

    sent_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Slot:
    """The items that converge finished in the five minutes from ``at``, by how long they had been due."""

    at: datetime
    counts: Mapping[int, int]  # by the power of two of the seconds, rounded up


def canary(connection: sa.Connection, queue: str, *, sent_at: datetime | None, apart: timedelta) -> None:
    """Note that a canary came through ``queue``; one that is more than ``apart`` after the last begins a new series."""
    connection.execute(_BEAT, {"name": _CANARY + queue, "sent_at": sent_at, "apart": apart})


def reached(connection: sa.Connection, queues: Sequence[str], *, apart: timedelta, quiet: timedelta) -> datetime | None:
    """Return the time up to which all messages of these queues have come through, by the canaries that came after them.

    None where that is not known: a queue had no canary for ``apart``, or none that was sent after canaries had come
    without such a break for ``quiet``.
    """
    names = [_CANARY + queue for queue in queues]
    given = {"names": names, "queues": len(names), "apart": apart, "quiet": quiet}
    found: datetime | None = connection.execute(_REACHED, given).scalar_one_or_none()
    return found


def waits(seconds: Sequence[float]) -> dict[int, int]:
    """Count waits by the power of two of the seconds, rounded up: enough for percentiles, and cheap to keep."""
    return dict(Counter(min(LONGEST, max(0, math.ceil(math.log2(max(one, 1.0))))) for one in seconds))


def add_done(connection: sa.Connection, counts: Mapping[int, int]) -> None:
    """Add the items that a batch finished: one row for all of them."""
    if counts:
        arguments = {"prefix": _DONE, "slots": SLOTS, "seconds": SLOT, "counts": dict(counts)}
        connection.execute(_ADD, arguments)


def canaries(connection: sa.Connection) -> dict[str, Canary]:
    """Return the last canary of each queue that ever had one."""
    return {row.name.removeprefix(_CANARY): Canary(row.sent_at, row.at) for row in connection.execute(_CANARIES)}


def recent_slots(connection: sa.Connection, *, seconds: float) -> list[Slot]:
    """Return the slots that began within ``seconds``, oldest first."""
    rows = connection.execute(_LATELY, {"within": timedelta(seconds=seconds)})
    return [Slot(row.at, {int(power): int(count) for power, count in row.counts.items()}) for row in rows]
