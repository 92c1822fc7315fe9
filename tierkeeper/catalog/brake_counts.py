"""Counts what policies are about to delete, and deleted within the brake's window: by index, up to a limit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.catalog.conditions import unleased
from tierkeeper.catalog.statements import typed

# any numbers that nothing else in the database uses; the second key is the tenant
_COUNTING, _OPENING = 0x74696B31, 0x74696B32
_SHARED = sa.text("SELECT pg_advisory_xact_lock_shared(:kind, hashtext(:tenant))").bindparams(*typed(tenant="text"))
_EXCLUSIVE = sa.text("SELECT pg_advisory_xact_lock(:kind, hashtext(:tenant))").bindparams(*typed(tenant="text"))

_OF_SCOPE = "((:policy = '' AND NOT {column} = ANY(:own)) OR {column} = :policy)"
_SCOPED = typed(policy="text", own="text[]")
_LIMITED = [*_SCOPED, *typed(most="bigint")]
_DELETING = "s.deletes IS NOT NULL AND s.approved_by IS NULL AND s.parked_reason IS NULL"
_PENDING = f"""
    FROM schedule s
    WHERE s.tenant = :tenant
        AND {_DELETING}
        AND s.due_at <= :now
        AND {_OF_SCOPE.format(column="s.deletes")}
"""
# one statement, one snapshot: a deletion between two would be counted in neither
_WEIGH = sa.text(f"""
    SELECT
        (SELECT count(*) FROM (SELECT {_PENDING} LIMIT :most) AS p) AS pending,
        (
            SELECT count(*)
            FROM (
                SELECT FROM artifacts a
                WHERE a.tenant = :tenant
                    AND a.deleted_by IS NOT NULL
                    AND a.deleted_at > :since
                    AND {_OF_SCOPE.format(column="a.deleted_by")}
                LIMIT :most
            ) AS r
        ) AS recent
""").bindparams(*_LIMITED)
_POPULATION = sa.text("""
    SELECT
        (SELECT count(*) FROM artifacts WHERE tenant = :tenant AND state = 'live')
        + (
            SELECT count(*)
            FROM artifacts
            WHERE tenant = :tenant AND deleted_by IS NOT NULL AND deleted_at > :since
        )
""")
# jumps from tenant to tenant in the index, however many rows each has
_TENANTS = sa.text(f"""
    WITH RECURSIVE t(tenant) AS (
        (
            SELECT s.tenant
            FROM schedule s
            WHERE {_DELETING}
            ORDER BY s.tenant LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT s.tenant
            FROM schedule s
            WHERE {_DELETING} AND s.tenant > t.tenant
            ORDER BY s.tenant LIMIT 1
        )
        FROM t
        WHERE t.tenant IS NOT NULL
    )
    SELECT t.tenant
    FROM t
    WHERE t.tenant IS NOT NULL
        AND EXISTS (
            SELECT FROM schedule s
            WHERE s.tenant = t.tenant
                AND {_DELETING}
                AND s.due_at <= :now
        )
""")
_SAMPLES = sa.text(f"""
    SELECT n.workflow || '/' || n.name || '@' || a.version
    FROM (SELECT s.artifact_id, s.due_at {_PENDING} ORDER BY s.due_at LIMIT :most) AS due
        JOIN artifacts a ON a.id = due.artifact_id
        JOIN names n ON n.id = a.name_id
    ORDER BY due.due_at, a.id
""").bindparams(*_LIMITED)
_BY_POLICY = sa.text(
    f"SELECT s.deletes, count(*) AS number {_PENDING} GROUP BY s.deletes ORDER BY s.deletes"
).bindparams(*_SCOPED)
# rows are chosen in the order of an index and locked in that of the artifacts (R14), one after the other,
# however few rows the planner believes there are
_CHANGE = """
    WITH chosen AS MATERIALIZED ({chosen} LIMIT :most),
        locked AS MATERIALIZED (
            SELECT s.artifact_id
            FROM chosen JOIN schedule s USING (artifact_id)
            WHERE {still}
            ORDER BY s.artifact_id FOR NO KEY UPDATE OF s {skip}
        )
    UPDATE schedule
    SET {change}
    FROM locked
    WHERE schedule.artifact_id = locked.artifact_id
"""
_STOP = sa.text(
    _CHANGE.format(
        chosen=f"""
            SELECT s.artifact_id {_PENDING}
                AND s.braked_by IS NULL
                AND {unleased(":now")}
        """,
        still="s.braked_by IS NULL",
        skip="SKIP LOCKED",
        change="braked_by = :run",
    )
).bindparams(*_LIMITED)
_LAST = sa.text("""
    SELECT due_at, artifact_id
    FROM schedule
    WHERE braked_by = :run
    ORDER BY due_at, artifact_id OFFSET :count - 1 LIMIT 1
""")
_STOPPED = "SELECT artifact_id FROM schedule WHERE braked_by = :run"
_UP_TO = "(due_at, artifact_id) <= (:due_at, :artifact)"
_SOME_STOPPED = sa.text(f"{_STOPPED} AND {_UP_TO} ORDER BY due_at, artifact_id LIMIT :most").bindparams(
    *typed(most="bigint")
)
_FIRST = "ORDER BY due_at, artifact_id"
# no index may answer this: with one, the join goes through all the run's rows for each that was chosen
_STILL = "s.braked_by IS NOT DISTINCT FROM :run"
_LET_GO = sa.text(
    _CHANGE.format(
        chosen=f"{_STOPPED} AND {_UP_TO} {_FIRST}",
        still=_STILL,
        skip="",
        change="braked_by = NULL, approved_by = :run",
    )
).bindparams(*typed(most="bigint", run="uuid"))
_RELEASE = sa.text(
    _CHANGE.format(chosen=f"{_STOPPED} {_FIRST}", still=_STILL, skip="", change="braked_by = NULL")
).bindparams(*typed(most="bigint", run="uuid"))
_LEFT = sa.text("SELECT EXISTS (SELECT FROM schedule WHERE approved_by = :run)")
# jumps from run to run in the index
_HOLDERS = sa.text("""
    WITH RECURSIVE h(run) AS (
        (SELECT braked_by FROM schedule WHERE braked_by IS NOT NULL ORDER BY braked_by LIMIT 1)
        UNION ALL
        SELECT (SELECT s.braked_by FROM schedule s WHERE s.braked_by > h.run ORDER BY s.braked_by LIMIT 1)
        FROM h
        WHERE h.run IS NOT NULL
    )
    SELECT run
    FROM h
    WHERE run IS NOT NULL
""")
_COUNT_STOPPED = sa.text("SELECT count(*) FROM schedule WHERE braked_by = :run")


@dataclass(frozen=True, slots=True)
class Scope:
    """A tenant's deletions that are counted together: by all policies without a brake of their own, or by one policy.

    ``policy`` is empty for the first; ``own`` names the policies that have a brake of their own.
    """

    tenant: str
    policy: str
    own: frozenset[str]

    def arguments(self) -> dict[str, Any]:
        """Return the scope as bound parameters."""
        return {"tenant": self.tenant, "policy": self.policy, "own": sorted(self.own)}


def count_together(connection: sa.Connection, tenant: str, *, alone: bool) -> None:
    """Take the tenant's lock for deletions until this transaction ends; ``alone``: no other one counts until then.

    The lock is taken after every row lock, tenant by tenant in their order.
    """
    connection.execute(_EXCLUSIVE if alone else _SHARED, {"kind": _COUNTING, "tenant": tenant})


def open_alone(connection: sa.Connection, tenant: str) -> None:
    """Take the tenant's lock for beginning a run that awaits approval."""
    connection.execute(_EXCLUSIVE, {"kind": _OPENING, "tenant": tenant})


def weigh(connection: sa.Connection, scope: Scope, *, now: datetime, window: timedelta, most: int) -> tuple[int, int]:
    """Return how many the policies of a scope are due to delete, and deleted within the window; each up to ``most``."""
    row = connection.execute(_WEIGH, {**scope.arguments(), "now": now, "since": now - window, "most": most}).one()
    return row.pending, row.recent


def population(connection: sa.Connection, tenant: str, *, now: datetime, window: timedelta) -> int:
    """Return how many artifacts of a tenant are live, or were until a policy deleted them within the window."""
    return int(connection.execute(_POPULATION, {"tenant": tenant, "since": now - window}).scalar_one())


def tenants_due(connection: sa.Connection, *, now: datetime) -> list[str]:
    """Return the tenants with deletions by policy that are due."""
    return list(connection.execute(_TENANTS, {"now": now}).scalars())


def by_policy(connection: sa.Connection, scope: Scope, *, now: datetime) -> dict[str, int]:
    """Return how many artifacts each policy of a scope is due to delete, all counted."""
    rows = connection.execute(_BY_POLICY, {**scope.arguments(), "now": now})
    return {row.deletes: row.number for row in rows}


def samples(connection: sa.Connection, scope: Scope, *, now: datetime, limit: int) -> list[str]:
    """Return the names of the artifacts whose deletions have been due longest."""
    return list(connection.execute(_SAMPLES, {**scope.arguments(), "now": now, "most": limit}).scalars())


def stop(connection: sa.Connection, scope: Scope, run: UUID, *, now: datetime, lease_seconds: float, limit: int) -> int:
    """Take up to ``limit`` due deletions out of the claims, until the run is decided."""
    lease = timedelta(seconds=lease_seconds)
    return connection.execute(
        _STOP, {**scope.arguments(), "now": now, "lease": lease, "run": run, "most": limit}
    ).rowcount


def last(connection: sa.Connection, run: UUID, *, count: int) -> tuple[datetime, UUID] | None:
    """Return the key (due_at, artifact) of the ``count``-th artifact that a run stopped, None if it stopped fewer."""
    if count < 1:
        return None
    row = connection.execute(_LAST, {"run": run, "count": count}).first()
    return None if row is None else (row.due_at, row.artifact_id)


def count_stopped(connection: sa.Connection, run: UUID) -> int:
    """Return how many artifacts a run stops."""
    return int(connection.execute(_COUNT_STOPPED, {"run": run}).scalar_one())


def some_stopped(connection: sa.Connection, run: UUID, *, upto: tuple[datetime, UUID], limit: int) -> list[UUID]:
    """Return up to ``limit`` artifacts that a run stops, up to a key."""
    arguments = {"run": run, "due_at": upto[0], "artifact": upto[1], "most": limit}
    return list(connection.execute(_SOME_STOPPED, arguments).scalars())


def stopping_runs(connection: sa.Connection) -> list[UUID]:
    """Return the runs that stop an artifact."""
    return list(connection.execute(_HOLDERS).scalars())


def let_go(connection: sa.Connection, run: UUID, *, upto: tuple[datetime, UUID], limit: int) -> int:
    """Give up to ``limit`` artifacts that a run stops to the sweep, as approved, up to a key."""
    arguments = {"run": run, "due_at": upto[0], "artifact": upto[1], "most": limit}
    return connection.execute(_LET_GO, arguments).rowcount


def release(connection: sa.Connection, run: UUID, *, limit: int) -> int:
    """Give up to ``limit`` artifacts that a run stops back to the claims, to be judged again."""
    return connection.execute(_RELEASE, {"run": run, "most": limit}).rowcount


def approved_left(connection: sa.Connection, run: UUID) -> bool:
    """Return True while an artifact that this run's approval released is still to be deleted."""
    return bool(connection.execute(_LEFT, {"run": run}).scalar_one())
