"""Dead letters: messages that a worker refused, rows of ``deliveries`` with the kind ``malformed``.

A message is one row, found again by its hash, with how often it came. At most :data:`MOST` are kept; one row more, the
tally, counts those that were not, and its lock makes the count exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

MOST: Final = 10_000  # rows, besides the tally
TALLY: Final = b"not kept"  # the hash of the row that counts what is not kept

_SEEN = sa.text("""
    UPDATE deliveries
    SET attempts = attempts + 1, last_at = clock_timestamp(), parked_reason = :reason,
        headers = jsonb_build_object('size', CAST(:size AS bigint)),
        skipped_by = NULL, skipped_at = NULL  -- it is no matter of the past
    WHERE kind = 'malformed' AND key = :key AND arguments_hash = :arguments_hash
""")
_TAKE_TALLY = sa.text("""
    INSERT INTO deliveries (id, key, arguments_hash, task, tenant, attempts, parked_reason, skipped_by, kind)
    VALUES (:tally, 'not-kept', :hash, 'unknown', '', 0, :reason, 'tierkeeper', 'malformed')
    ON CONFLICT (key, arguments_hash) DO UPDATE
    SET kind = excluded.kind
""")
_KEEP = sa.text("""
    INSERT INTO deliveries (id, key, arguments_hash, task, tenant, attempts, parked_reason, kind, broker, queue, raw,
        headers)
    SELECT :id, :key, :arguments_hash, :task, '', 1, :reason, 'malformed', :broker, :queue, :raw,
        jsonb_build_object('size', CAST(:size AS bigint))
    WHERE (SELECT count(*) FROM deliveries WHERE kind = 'malformed') <= :most
    ON CONFLICT (key, arguments_hash) DO NOTHING
""")
_COUNT_UNKEPT = sa.text("""
    UPDATE deliveries
    SET attempts = attempts + 1, last_at = clock_timestamp(), skipped_by = NULL, skipped_at = NULL
    WHERE key = 'not-kept' AND arguments_hash = :hash
""")
_RAW = sa.text("SELECT raw FROM deliveries WHERE id = :id AND kind = 'malformed'")
_END = sa.text("DELETE FROM deliveries WHERE kind = 'malformed' AND last_at < statement_timestamp() - :kept")


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """What is written of a dead letter: ``key``, ``arguments_hash`` and ``size`` are of the whole message."""

    id: UUID
    key: str
    arguments_hash: bytes
    task: str
    reason: str
    broker: str
    queue: str
    raw: bytes
    size: int

    def values(self) -> Mapping[str, Any]:
        """Return the columns by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def keep(connection: sa.Connection, row: DeadLetterRow, *, tally: UUID, most: int = MOST) -> bool:
    """Keep a dead letter, or count it where it is known; return False where it was only counted as not kept.

    ``tally``: the id of the tally's row, if there is none yet.
    """
    if connection.execute(_SEEN, row.values()).rowcount:
        return True
    reason = f"messages refused beyond the {most} that are kept; their content is gone"
    connection.execute(_TAKE_TALLY, {"tally": tally, "hash": TALLY, "reason": reason})  # locks it
    if connection.execute(_SEEN, row.values()).rowcount:
        return True  # kept meanwhile, by another worker
    if connection.execute(_KEEP, {**row.values(), "most": most}).rowcount:
        return True
    connection.execute(_COUNT_UNKEPT, {"hash": TALLY})
    return False


def raw(connection: sa.Connection, id_: UUID) -> bytes | None:
    """Return the beginning of a dead letter, None if there is no such."""
    found = connection.execute(_RAW, {"id": id_}).scalar_one_or_none()
    return None if found is None else bytes(found)


def end(connection: sa.Connection, *, kept: timedelta) -> int:
    """Delete the dead letters that last came longer than ``kept`` ago; return how many."""
    return connection.execute(_END, {"kept": kept}).rowcount
