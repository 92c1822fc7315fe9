"""The schedule: claims with a lease, renewals, next steps. Only the narrow table is written."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog.conditions import due, unleased
from tierkeeper.catalog.statements import listed, typed
from tierkeeper.catalog.tenant_filter import OF_TENANT

# a sweep of some tiers only (clean_hot) takes artifacts with a present copy there
_IN_TIERS = """
    (
        :tiers IS NULL
        OR EXISTS (
            SELECT FROM artifacts a JOIN placements p ON p.blob_id = a.blob_id
            WHERE a.id = schedule.artifact_id AND p.tier = ANY(:tiers) AND p.state = 'present'
        )
    )
"""
#: claims without an outcome from which on an artifact is claimed alone, as it may be what kills its workers
_SUSPICIOUS = 2


#: what an artifact was claimed for: why the last try failed, else its step
_TRIED = "CASE WHEN s.failures > 0 THEN coalesce(s.failed_words, s.step) ELSE s.step END"


#: what this claim has committed already, where the reply was lost and it runs again
_OWN = "lease_token = :token"
_ATTEMPTS = f"CASE WHEN s.{_OWN} THEN s.attempts ELSE s.attempts + 1 END"


def _claiming(which: str) -> sa.TextClause:
    return sa.text(f"""
        WITH due AS MATERIALIZED (
            SELECT artifact_id
            FROM schedule
            WHERE {due(":now")}
                AND ({unleased(":now")} OR {_OWN})
                AND {OF_TENANT}
                AND {which}
                AND {_IN_TIERS}
            ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        )
        UPDATE schedule s
        SET lease_token = :token, lease_until = :now + :lease, attempts = {_ATTEMPTS}
        FROM due
        WHERE s.artifact_id = due.artifact_id
        RETURNING s.artifact_id, s.attempts, {_TRIED} AS tried,
            CASE WHEN isfinite(s.due_at) THEN extract(epoch FROM :now - s.due_at)::float8 ELSE 0 END AS waited
    """).bindparams(*typed(tenant="text", tiers="text[]"))


_CLAIM = _claiming(f"(attempts < {_SUSPICIOUS} OR ({_OWN} AND attempts = {_SUSPICIOUS}))")
_CLAIM_SUSPECT = _claiming(f"attempts >= {_SUSPICIOUS}")
_CLAIM_THESE = sa.text(f"""
    WITH these AS MATERIALIZED (
        SELECT artifact_id
        FROM schedule
        WHERE artifact_id = ANY(:ids) AND parked_reason IS NULL AND ({unleased(":now")} OR {_OWN})
        ORDER BY artifact_id FOR UPDATE SKIP LOCKED
    )
    UPDATE schedule s
    SET lease_token = :token, lease_until = :now + :lease, attempts = {_ATTEMPTS}
    FROM these
    WHERE s.artifact_id = these.artifact_id
    RETURNING s.artifact_id, s.attempts, {_TRIED} AS tried
""")
_RENEW = sa.text("""
    UPDATE schedule
    SET lease_until = clock_timestamp() + :lease
    WHERE lease_token = :token AND artifact_id = ANY(:ids)
""")


class LockedEntry(NamedTuple):
    """A locked row: its time, and the state of its deletion by policy."""

    due_at: datetime
    parked: bool
    deletes: str | None
    braked_by: UUID | None
    approved_by: UUID | None


LOCKED_COLUMNS = listed(LockedEntry._fields, parked="parked_reason IS NOT NULL")
_PEEK = sa.text(f"SELECT {LOCKED_COLUMNS}, artifact_id FROM schedule WHERE artifact_id = ANY(:ids)")
_LOCK = sa.text(f"{_PEEK.text} ORDER BY artifact_id FOR NO KEY UPDATE")
_SETTLE = sa.text("""
    UPDATE schedule s
    SET due_at = w.due_at, step = w.step, lease_token = NULL, lease_until = NULL,
        attempts = CASE WHEN w.permanent THEN s.attempts ELSE 0 END,
        failures = CASE WHEN w.failed THEN s.failures + 1 WHEN w.parked IS NOT NULL THEN s.failures ELSE 0 END,
        failed_code = CASE WHEN w.parked IS NULL THEN w.code ELSE s.failed_code END,
        failed_tier = CASE WHEN w.parked IS NULL THEN w.tier ELSE s.failed_tier END,
        failed_words = CASE WHEN w.parked IS NULL THEN w.words ELSE s.failed_words END,
        failed_at = CASE WHEN w.parked IS NULL THEN w.failed_at ELSE s.failed_at END,
        parked_reason = w.parked, deletes = w.deletes, braked_by = w.braked, approved_by = NULL
    FROM unnest(
        :ids, :dues, :steps, :failed, :permanent, :parked, :deletes, :braked, :codes, :tiers, :words, :failed_ats
    ) AS w(
        artifact_id, due_at, step, failed, permanent, parked, deletes, braked, code, tier, words, failed_at
    )
    WHERE s.artifact_id = w.artifact_id AND (s.lease_token = :token OR s.lease_token IS NULL)
""").bindparams(
    *typed(
        ids="uuid[]",
        dues="timestamptz[]",
        steps="text[]",
        failed="boolean[]",
        permanent="boolean[]",
        parked="text[]",
        deletes="text[]",
        braked="uuid[]",
        codes="text[]",
        tiers="text[]",
        words="text[]",
        failed_ats="timestamptz[]",
    )
)
_DONE = sa.text("DELETE FROM schedule WHERE artifact_id = ANY(:ids) AND (lease_token = :token OR lease_token IS NULL)")
_FAILURES = sa.text("SELECT artifact_id, failures, attempts FROM schedule WHERE artifact_id = ANY(:ids)")
_INSERT = """
    INSERT INTO schedule (artifact_id, tenant, due_at, step, deletes)
    SELECT *
    FROM unnest(:ids, :tenants, :dues, :steps, :deletes) AS w(artifact_id, tenant, due_at, step, deletes)
    ORDER BY artifact_id
    ON CONFLICT (artifact_id)
"""
_ROWS = typed(ids="uuid[]", tenants="text[]", dues="timestamptz[]", steps="text[]", deletes="text[]")
_SET = sa.text(f"""
    {_INSERT}
    DO UPDATE SET due_at = excluded.due_at, step = excluded.step, parked_reason = NULL, attempts = 0, failures = 0,
        failed_code = NULL, failed_tier = NULL, failed_words = NULL, failed_at = NULL,
        deletes = excluded.deletes, braked_by = NULL, approved_by = NULL
""").bindparams(*_ROWS)
_MISSING = sa.text(f"{_INSERT} DO NOTHING").bindparams(*_ROWS)
# the step of a row whose last try failed stays: it is what failed
_HASTEN = sa.text("""
    UPDATE schedule s
    SET due_at = w.due_at, deletes = w.deletes,
        step = CASE WHEN s.failures > 0 AND s.failed_code IS NOT NULL THEN s.step ELSE w.step END
    FROM unnest(:ids, :dues, :steps, :deletes) AS w(artifact_id, due_at, step, deletes)
    WHERE s.artifact_id = w.artifact_id AND w.due_at < s.due_at
""").bindparams(*typed(ids="uuid[]", dues="timestamptz[]", steps="text[]", deletes="text[]"))
# a deletion that is due now counts as such whenever it came due; one that is not due yet keeps its time until its
# braked row is released
_FORETELL = sa.text("""
    UPDATE schedule s
    SET deletes = w.deletes, braked_by = CASE WHEN w.now THEN s.braked_by END,
        approved_by = CASE WHEN w.now THEN s.approved_by END
    FROM (
        SELECT n.artifact_id, n.now, CASE WHEN n.now OR o.due_at >= n.due_at THEN n.deletes END AS deletes
        FROM unnest(:ids, :dues, :deletes, :nows) AS n(artifact_id, due_at, deletes, now)
            JOIN schedule o USING (artifact_id)
    ) AS w
    WHERE s.artifact_id = w.artifact_id
        AND (
            s.deletes IS DISTINCT FROM w.deletes
            OR (NOT w.now AND (s.braked_by IS NOT NULL OR s.approved_by IS NOT NULL))
        )
""").bindparams(*typed(ids="uuid[]", dues="timestamptz[]", deletes="text[]", nows="boolean[]"))
_AFRESH = sa.text("""
    UPDATE schedule s
    SET parked_reason = NULL, attempts = 0, failures = 0, due_at = :now,
        failed_code = NULL, failed_tier = NULL, failed_words = NULL, failed_at = NULL
    FROM artifacts a
    WHERE a.id = s.artifact_id
        AND a.blob_id = ANY(:blobs)
        AND (s.parked_reason IS NOT NULL OR s.attempts > 0 OR s.failures > 0)
""")
_COUNT_DUE = sa.text(f"""
    SELECT count(*)
    FROM schedule
    WHERE {due("statement_timestamp()")}
        AND {OF_TENANT}
""").bindparams(*typed(tenant="text"))
_ANY_DUE = sa.text(f"""
    SELECT EXISTS (
        SELECT FROM schedule
        WHERE {due("statement_timestamp()")}
            AND {unleased("statement_timestamp()")}
            AND {OF_TENANT}
            AND {_IN_TIERS}
    )
""").bindparams(*typed(tenant="text", tiers="text[]"))
_DUE_PAGE = sa.text(f"""
    SELECT artifact_id, due_at
    FROM schedule
    WHERE {due(":as_of")}
        AND (due_at, artifact_id) > (:after_due, :after_id)
        AND {OF_TENANT}
    ORDER BY due_at, artifact_id LIMIT :limit
""").bindparams(*typed(tenant="text"))
_OF = sa.text("""
    SELECT artifact_id, due_at, step, parked_reason, braked_by, deletes,
        failures, failed_code, failed_tier, failed_words, failed_at
    FROM schedule
    WHERE artifact_id = ANY(:ids)
""")
# each kind of failure is found by one step through the index, and so many of its artifacts are read; of a range in the
# order of the index, as PostgreSQL would rather scan the table for some of many equal ones
_FAILING = sa.text(f"""
    WITH RECURSIVE kinds AS (
        (
            SELECT failed_tier AS tier, failed_code AS code
            FROM schedule
            WHERE failures > 0 AND failed_tier IS NOT NULL AND failed_code IS NOT NULL
            ORDER BY failed_tier, failed_code LIMIT 1
        )
        UNION ALL
        SELECT later.failed_tier, later.failed_code
        FROM kinds CROSS JOIN LATERAL (
            SELECT failed_tier, failed_code
            FROM schedule
            WHERE failures > 0
                AND failed_code IS NOT NULL
                AND (failed_tier, failed_code) > (kinds.tier, kinds.code)
            ORDER BY failed_tier, failed_code LIMIT 1
        ) AS later
    )
    SELECT kinds.tier, kinds.code, counted.looked_at, counted.artifacts
    FROM kinds CROSS JOIN LATERAL (
        SELECT count(*) AS looked_at, count(*) FILTER (WHERE parked_reason IS NULL AND {OF_TENANT}) AS artifacts
        FROM (
            SELECT parked_reason, tenant
            FROM schedule
            WHERE failures > 0
                AND (failed_tier, failed_code) >= (kinds.tier, kinds.code)
                AND (failed_tier, failed_code) <= (kinds.tier, kinds.code)
            ORDER BY failed_tier, failed_code LIMIT :most
        ) AS found
    ) AS counted
""").bindparams(*typed(tenant="text", most="bigint"))


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """The next step of one artifact and its time; why it is parked; the run by which the brake stopped it.

    ``failure``: its last try, if that failed, and ``failures``, how many did in a row; ``step`` is then what failed,
    and ``deletes`` the policy that deletes the artifact at that time instead of trying it again.
    """

    due_at: datetime
    step: str
    parked_reason: str | None
    braked_by: UUID | None
    deletes: str | None
    failures: int = 0
    failure: "Failure | None" = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed: the error's code, its tier and words, and when."""

    code: str
    tier: str | None
    words: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """One claimed artifact, how often it was claimed without an outcome (this time included), and what for.

    ``tried``: in words, why its last try failed, else its step.
    """

    artifact: UUID
    attempts: int
    tried: str
    waited: float = 0.0  # seconds since it was due


@dataclass(frozen=True, slots=True)
class Next:
    """The row of an artifact after its outcome; ``due_at`` None: no step ever follows."""

    artifact: UUID
    due_at: datetime | None
    step: str
    failed: bool = False  # a reported failure: the backoff grows
    permanent: bool = False  # a permanent error: the attempt is not given back
    parked: str | None = None
    deletes: str | None = None  # the policy that deletes it with this step
    braked: UUID | None = None  # the run that awaits an approval of that
    failure: Failure | None = None  # why the try failed; None clears the one before, unless it is parked


@dataclass(frozen=True, slots=True)
class Coming:
    """A row to write: an artifact's next step, its time, and the policy that deletes the artifact with that step."""

    artifact: UUID
    tenant: str
    due_at: datetime
    step: str
    deletes: str | None = None


def claim(
    connection: sa.Connection,
    *,
    token: UUID,
    now: datetime,
    lease_seconds: float,
    limit: int,
    tenant: str | None,
    tiers: Sequence[str] | None = None,
) -> list[Claimed]:
    """Lease up to ``limit`` due artifacts, oldest first, and count the attempt; ``tiers``: with a copy there.

    An artifact whose earlier claims ended in silence comes last and alone: if it kills its worker, no other is lost.
    A claim that runs again, as the outcome of its COMMIT is not known, returns what it has leased (``token``): each
    claim has a token of its own.
    """
    arguments = {
        "token": token,
        "now": now,
        "lease": timedelta(seconds=lease_seconds),
        "tenant": tenant,
        "tiers": tiers,
    }
    rows = connection.execute(_CLAIM, {**arguments, "limit": limit}).all()
    if not rows:
        rows = connection.execute(_CLAIM_SUSPECT, {**arguments, "limit": 1}).all()
    return [Claimed(row.artifact_id, row.attempts, row.tried, row.waited) for row in rows]


def claim_these(
    connection: sa.Connection, ids: Collection[UUID], *, token: UUID, now: datetime, lease_seconds: float
) -> list[Claimed]:
    """Lease these artifacts, due or not, except those that another worker has leased; run again as :func:`claim`."""
    arguments = {"ids": list(ids), "token": token, "now": now, "lease": timedelta(seconds=lease_seconds)}
    return [Claimed(row.artifact_id, row.attempts, row.tried) for row in connection.execute(_CLAIM_THESE, arguments)]


def renew(connection: sa.Connection, ids: Collection[UUID], *, token: UUID, lease_seconds: float) -> int:
    """Lengthen those of these leases that still have this token; return how many do."""
    arguments = {"ids": list(ids), "token": token, "lease": timedelta(seconds=lease_seconds)}
    return connection.execute(_RENEW, arguments).rowcount


def lock(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, LockedEntry]:
    """Lock these rows in the order of their artifacts (R14); return them."""
    return _locked_entries(connection.execute(_LOCK, {"ids": list(ids)}))


def peek(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, LockedEntry]:
    """Return these rows as they are, without a lock."""
    return _locked_entries(connection.execute(_PEEK, {"ids": list(ids)}))


def _locked_entries(rows: sa.CursorResult[Any]) -> dict[UUID, LockedEntry]:
    return {row.artifact_id: LockedEntry._make(row[:-1]) for row in rows.all()}


def failures(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return (reported failures in a row, attempts without an outcome) by artifact."""
    rows = connection.execute(_FAILURES, {"ids": list(ids)}).all()
    return {row.artifact_id: (row.failures, row.attempts) for row in rows}


def reschedule(connection: sa.Connection, nexts: Sequence[Next], *, token: UUID) -> None:
    """Write the next steps and end the leases; a lease that another worker has taken meanwhile is left alone."""
    later = [n for n in nexts if n.due_at is not None]
    if later:
        connection.execute(
            _SETTLE,
            {
                "ids": [n.artifact for n in later],
                "dues": [n.due_at for n in later],
                "steps": [n.step for n in later],
                "failed": [n.failed for n in later],
                "permanent": [n.permanent for n in later],
                "parked": [n.parked for n in later],
                "deletes": [n.deletes for n in later],
                "braked": [n.braked for n in later],
                "codes": [n.failure and n.failure.code for n in later],
                "tiers": [n.failure and n.failure.tier for n in later],
                "words": [n.failure and n.failure.words for n in later],
                "failed_ats": [n.failure and n.failure.at for n in later],
                "token": token,
            },
        )
    never = [n.artifact for n in nexts if n.due_at is None]
    if never:
        connection.execute(_DONE, {"ids": never, "token": token})


def put(connection: sa.Connection, rows: Sequence[Coming]) -> None:
    """Write the next steps even if a worker has the lease (R9); end parking and a stop by the brake."""
    if rows:
        connection.execute(_SET, _columns(rows))


def put_deletes(connection: sa.Connection, rows: Sequence[Coming]) -> None:
    """Make these deletions by policy due; a row already due for one keeps its stop by the brake or its approval."""
    held = lock(connection, [row.artifact for row in rows])
    known = {i for i, mine in held.items() if mine.deletes is not None}
    put(connection, [r for r in rows if r.artifact not in known or held[r.artifact].due_at > r.due_at])


def put_if_missing(connection: sa.Connection, rows: Sequence[Coming]) -> None:
    """Give a row to artifacts that have none."""
    if rows:
        connection.execute(_MISSING, _columns(rows))


def start_afresh(connection: sa.Connection, blobs: Collection[UUID], *, now: datetime) -> None:
    """Make parked and failed artifacts of these blobs due, without attempts: their content can be read again."""
    connection.execute(_AFRESH, {"blobs": list(blobs), "now": now})


def hasten(connection: sa.Connection, rows: Sequence[Coming]) -> int:
    """Bring rows forward, never back; return how many moved."""
    if not rows:
        return 0
    return connection.execute(_HASTEN, _columns(rows)).rowcount


def foretell(connection: sa.Connection, rows: Sequence[Coming], *, now: Mapping[UUID, bool]) -> None:
    """Write which policy deletes with the next step, without moving it; ``now``: it is to be deleted already.

    A row that is not to be deleted any more is released from the brake.
    """
    if rows:
        connection.execute(_FORETELL, {**_columns(rows), "nows": [now[row.artifact] for row in rows]})


def _columns(rows: Sequence[Coming]) -> dict[str, list[object]]:
    return {
        "ids": [row.artifact for row in rows],
        "tenants": [row.tenant for row in rows],
        "dues": [row.due_at for row in rows],
        "steps": [row.step for row in rows],
        "deletes": [row.deletes for row in rows],
    }


def count_due(connection: sa.Connection, *, tenant: str | None) -> int:
    """Return how many artifacts are due now."""
    return int(connection.execute(_COUNT_DUE, {"tenant": tenant}).scalar_one())


def any_due(
    connection: sa.Connection, *, tenant: str | None, lease_seconds: float, tiers: Sequence[str] | None = None
) -> bool:
    """Return True if an artifact is due that no worker has leased."""
    arguments = {"tenant": tenant, "tiers": tiers, "lease": timedelta(seconds=lease_seconds)}
    return bool(connection.execute(_ANY_DUE, arguments).scalar_one())


def due_page(
    connection: sa.Connection,
    *,
    as_of: datetime,
    after: tuple[datetime, UUID],
    limit: int,
    tenant: str | None,
) -> list[tuple[UUID, datetime]]:
    """Return (artifact, due_at) of the artifacts due at ``as_of``, in order, after a key."""
    arguments = {"as_of": as_of, "after_due": after[0], "after_id": after[1], "limit": limit, "tenant": tenant}
    return [(row.artifact_id, row.due_at) for row in connection.execute(_DUE_PAGE, arguments)]


def of_many(connection: sa.Connection, ids: Collection[UUID]) -> dict[UUID, ScheduleEntry]:
    """Return the entries of those of these artifacts that have a next step."""
    rows = connection.execute(_OF, {"ids": list(ids)}).all()
    return {row.artifact_id: _entry(row) for row in rows}


def _entry(row: Any) -> ScheduleEntry:  # noqa: ANN401  a driver's row
    # a process of the release before resets the number, and leaves the rest
    failed = row.failures > 0 and row.failed_code is not None
    failure = Failure(row.failed_code, row.failed_tier, row.failed_words, row.failed_at) if failed else None
    return ScheduleEntry(row.due_at, row.step, row.parked_reason, row.braked_by, row.deletes, row.failures, failure)


def failing(
    connection: sa.Connection, *, tenant: str | None, most: int | None
) -> tuple[dict[tuple[str, str], int], bool]:
    """Return how many artifacts are tried again after a failure at a tier, by (tier, code).

    At most ``most`` of each are looked at (None: all); the second value is False where there may be more.
    """
    rows = connection.execute(_FAILING, {"tenant": tenant, "most": most}).all()
    counts = {(row.tier, row.code): row.artifacts for row in rows if row.artifacts}
    return counts, most is None or all(row.looked_at < most for row in rows)
