"""Messages that were redelivered, wait for a store, or are parked. One that succeeds at once has no row here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from models.delivery import DELIVERIES
from tierkeeper.base.backoff import Backoff
from tierkeeper.catalog.statements import listed, where_given
from tierkeeper.catalog.tenant_filter import of_tenant
from tierkeeper_client.contract import DEAD_LETTER_BYTES


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message that was redelivered, waits, is parked, or was refused (``kind``: malformed)."""

    id: UUID
    key: str
    task: str
    tenant: str
    workflow: str | None
    name: str | None
    attempts: int
    failures: int
    first_at: datetime
    last_at: datetime
    due_at: datetime | None
    waiting_for: str | None
    parked_reason: str | None
    skipped_by: str | None
    revision: int
    kind: str
    broker: str | None
    queue: str | None
    size: int | None  # of a dead letter: the bytes of all of it


#: a process of the release before writes no size: what it kept is all of it, unless it is as long as may be
_SIZE: Final = f"""
    CASE WHEN kind = 'malformed'
    THEN coalesce(CAST(headers ->> 'size' AS bigint), nullif(octet_length(raw), {DEAD_LETTER_BYTES})) END
"""
_COLUMNS = listed(DeliveryRow.__dataclass_fields__, size=_SIZE)

_INSERT = """
    INSERT INTO deliveries AS d (
        id, key, arguments_hash, task, tenant, workflow, name,
        attempts, failures, due_at, waiting_for, parked_reason, arguments, headers, staged, revision
    )
"""
_MESSAGE = ":id, :key, :arguments_hash, :task, :tenant, :workflow, :name"
_KEPT = "arguments = excluded.arguments, headers = excluded.headers, staged = excluded.staged"
_COUNT = sa.text(f"""
    {_INSERT}
    VALUES ({_MESSAGE}, 1, 0, NULL, NULL, NULL, NULL, NULL, '{{}}', 0)
    ON CONFLICT (key, arguments_hash) DO UPDATE
    SET attempts = CASE WHEN d.parked_reason IS NULL THEN d.attempts + 1 ELSE d.attempts END,
        last_at = clock_timestamp()
    RETURNING {_COLUMNS}
""")
_WAIT = sa.text(f"""
    {_INSERT}
    VALUES (
        {_MESSAGE}, 0, 1, clock_timestamp() + least(:cap, :first) * :jitter * interval '1 second',
        :reason, NULL, :arguments, CAST(:headers AS jsonb), :staged, 1
    )
    ON CONFLICT (key, arguments_hash) DO UPDATE
    SET {_KEPT}, attempts = 0, failures = d.failures + 1,
        due_at = clock_timestamp()
            + least(:cap, :first * power(:factor, least(d.failures, 16))) * :jitter * interval '1 second',
        waiting_for = excluded.waiting_for, last_at = clock_timestamp(),
        revision = d.revision + CASE WHEN d.failures = 0 THEN 1 ELSE 0 END
    WHERE d.parked_reason IS NULL
    RETURNING {_COLUMNS}
""")
_PARK = sa.text(f"""
    {_INSERT}
    VALUES ({_MESSAGE}, 0, 0, NULL, NULL, :reason, :arguments, CAST(:headers AS jsonb), :staged, 1)
    ON CONFLICT (key, arguments_hash) DO UPDATE
    SET {_KEPT}, due_at = NULL, waiting_for = NULL, parked_reason = excluded.parked_reason,
        last_at = clock_timestamp(), revision = d.revision + 1
    WHERE d.parked_reason IS NULL
    RETURNING {_COLUMNS}
""")
_PARK_KEPT = sa.text(f"""
    UPDATE deliveries
    SET due_at = NULL, waiting_for = NULL, parked_reason = :reason, last_at = clock_timestamp(), revision = revision + 1
    WHERE id = :id AND due_at IS NOT NULL
    RETURNING {_COLUMNS}
""")
_HEARD = sa.text("""
    UPDATE deliveries
    SET last_at = clock_timestamp()
    WHERE key = :key AND arguments_hash = :arguments_hash
""")
_ANSWERED = sa.text("DELETE FROM deliveries WHERE key = :key AND arguments_hash = :arguments_hash")
_SEND = sa.text("""
    WITH due AS MATERIALIZED (
        SELECT id
        FROM deliveries
        WHERE due_at <= statement_timestamp() OR due_at > statement_timestamp() + 2 * CAST(:longest AS interval)
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE deliveries d
    SET due_at = clock_timestamp() + :lease
    FROM due
    WHERE d.id = due.id
    RETURNING d.id, d.task, d.key, d.arguments, d.headers
""")
_PUT_BACK = sa.text("UPDATE deliveries SET due_at = clock_timestamp() WHERE id = ANY(:ids) AND due_at IS NOT NULL")
_LOCKED = sa.text(f"SELECT {_COLUMNS} FROM deliveries WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_RETRY = sa.text("""
    UPDATE deliveries
    SET parked_reason = NULL, skipped_by = NULL, skipped_at = NULL, attempts = 0, failures = 0,
        due_at = clock_timestamp(), waiting_for = 'retried by ' || :actor, revision = revision + 1
    WHERE id = ANY(:ids)
""")
_SKIP = sa.text("""
    UPDATE deliveries
    SET skipped_by = :actor, skipped_at = clock_timestamp(),
        parked_reason = coalesce(parked_reason, waiting_for), due_at = NULL, waiting_for = NULL, revision = revision + 1
    WHERE id = ANY(:ids)
""")
_TABLE = DELIVERIES.c
_STATES = {
    None: sa.or_(_TABLE.parked_reason.is_not(None), _TABLE.due_at.is_not(None)),
    "parked": sa.and_(_TABLE.parked_reason.is_not(None), _TABLE.skipped_by.is_(None)),
    "skipped": _TABLE.skipped_by.is_not(None),
    "waiting": _TABLE.due_at.is_not(None),
}
#: the tally of dead letters is there from the first of them on, and tells of none that is gone until it counted one
_TELLS = sa.or_(_TABLE.kind != "malformed", _TABLE.attempts > 0)
_FORGET = sa.text("""
    DELETE FROM deliveries d
    WHERE
        -- counted, and never heard of again: its message ended elsewhere, or is gone
        (parked_reason IS NULL AND due_at IS NULL AND last_at < statement_timestamp() - :kept)
        -- parked, and carried out since because its producer sent it once more
        OR (
            parked_reason IS NOT NULL
            AND kind = 'delivery'
            AND EXISTS (SELECT FROM commands c WHERE c.tenant = d.tenant AND c.key = d.key AND c.at > d.last_at)
        )
""")
_STAMP_SKIPPED = sa.text("""
    UPDATE deliveries
    SET skipped_at = clock_timestamp()
    WHERE skipped_by IS NOT NULL AND skipped_at IS NULL AND kind = 'delivery'
""")
_END_SKIPPED = sa.text("""
    DELETE FROM deliveries
    WHERE skipped_by IS NOT NULL AND skipped_at < statement_timestamp() - :kept AND kind = 'delivery'
""")


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A message that is to be sent again; ``arguments`` as they were kept."""

    id: UUID
    task: str
    key: str
    arguments: bytes
    headers: Mapping[str, str]


def count(connection: sa.Connection, row: Mapping[str, Any]) -> DeliveryRow:
    """Count an attempt of the message that ``row`` describes, unless it is parked.

    ``row`` has ``id`` (of a new row), ``key`` (the task id), ``arguments_hash``, ``task``, ``tenant``, ``workflow`` and
    ``name``; for :func:`wait` and :func:`park` also ``arguments`` (compressed JSON), ``headers`` (JSON text) and
    ``staged`` (names of uploads).
    """
    return _row(connection.execute(_COUNT, row).one())


def wait(connection: sa.Connection, row: Mapping[str, Any], *, reason: str, pauses: Backoff) -> DeliveryRow | None:
    """Keep the message to send it again after the pause that its failures call for; None where it is parked."""
    waits = {"first": pauses.first, "cap": pauses.cap, "factor": pauses.factor, "jitter": pauses.jitter()}
    arguments = {**row, "reason": reason, **waits}
    return _kept(connection, row, connection.execute(_WAIT, arguments).one_or_none())


def park(connection: sa.Connection, row: Mapping[str, Any], *, reason: str) -> DeliveryRow | None:
    """Keep the message until an operator decides about it; None where it is parked already."""
    return _kept(connection, row, connection.execute(_PARK, {**row, "reason": reason}).one_or_none())


def park_kept(connection: sa.Connection, id_: UUID, *, reason: str) -> DeliveryRow | None:
    """Keep a message that is due until an operator decides about it; None where it is not due any more."""
    found = connection.execute(_PARK_KEPT, {"id": id_, "reason": reason}).one_or_none()
    return None if found is None else _row(found)


def answered(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    """Delete the row of the message: it had an outcome."""
    connection.execute(_ANSWERED, {"key": row["key"], "arguments_hash": row["arguments_hash"]})


def take_due(connection: sa.Connection, *, limit: int, lease: timedelta, longest: timedelta) -> list[DueMessage]:
    """Return the messages to send again now; each is due once more after ``lease``, in case it is lost.

    ``longest``: the longest pause of a message. One that is due more than twice as far ahead got its time by a clock
    that was ahead, and is due.
    """
    rows = connection.execute(_SEND, {"limit": limit, "lease": lease, "longest": max(lease, longest)})
    return [DueMessage(row.id, row.task, row.key, bytes(row.arguments or b""), row.headers or {}) for row in rows]


def put_back(connection: sa.Connection, ids: Collection[UUID]) -> None:
    """Make messages due now that were taken and not sent."""
    connection.execute(_PUT_BACK, {"ids": list(ids)})


def select(
    connection: sa.Connection,
    *,
    state: str | None,
    kind: str | None,
    tenant: str | None,
    like: Mapping[str, str | None],
    reason: str | None,
    item: str | None,
    after: UUID,
    limit: int,
) -> list[DeliveryRow]:
    """Return a page of stuck messages, by id; ``like``: regular expressions of columns."""
    why = sa.func.lower(sa.func.coalesce(_TABLE.parked_reason, _TABLE.waiting_for))
    statement = (
        sa.select(sa.text(_COLUMNS))
        .select_from(DELIVERIES)
        .where(
            _STATES[state],
            _TELLS,
            _TABLE.id > after,
            *where_given(kind, lambda only: _TABLE.kind == only),
            *of_tenant(_TABLE.tenant, tenant),
            *(_TABLE[name].regexp_match(value) for name, value in like.items() if value is not None),
            *where_given(reason, lambda text: sa.func.strpos(why, sa.func.lower(text)) > 0),
            *where_given(item, lambda named: sa.or_(_TABLE.key == named, sa.cast(_TABLE.id, sa.Text) == named)),
        )
    )
    return [_row(row) for row in connection.execute(statement.order_by(_TABLE.id).limit(limit))]


def lock(connection: sa.Connection, ids: Collection[UUID]) -> list[DeliveryRow]:
    """Lock these rows and return them."""
    return [_row(row) for row in connection.execute(_LOCKED, {"ids": list(ids)})]


def retry(connection: sa.Connection, ids: Sequence[UUID], *, actor: str) -> None:
    """Make these messages due now, as if they had never been tried."""
    connection.execute(_RETRY, {"ids": list(ids), "actor": actor})


def skip(connection: sa.Connection, ids: Sequence[UUID], *, actor: str) -> None:
    """Mark these messages as skipped by ``actor``: none is sent again until it is retried."""
    connection.execute(_SKIP, {"ids": list(ids), "actor": actor})


def forget(connection: sa.Connection, *, kept: timedelta) -> int:
    """Delete messages counted but not seen for ``kept``, and parked ones carried out since; return how many."""
    return connection.execute(_FORGET, {"kept": kept}).rowcount


def end_skipped(connection: sa.Connection, *, kept: timedelta) -> int:
    """Delete messages that were skipped longer than ``kept`` ago; return how many.

    Processes of the release before skip without a time: it counts from the first look at such a row.
    """
    connection.execute(_STAMP_SKIPPED)
    return connection.execute(_END_SKIPPED, {"kept": kept}).rowcount


def _kept(connection: sa.Connection, row: Mapping[str, Any], found: Any) -> DeliveryRow | None:  # noqa: ANN401  as _row
    if found is not None:
        return _row(found)
    # parked already: results recorded before now did not complete it, see `forget`
    connection.execute(_HEARD, {"key": row["key"], "arguments_hash": row["arguments_hash"]})
    return None


def _row(found: Any) -> DeliveryRow:  # noqa: ANN401  a row of SQLAlchemy
    return DeliveryRow(*found)
