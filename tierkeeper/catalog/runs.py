"""The records of sweeps and bulk jobs; counters are written in transactions of their own."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models import Run
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.base.values import RunView

_ADD = sa.text(
    "UPDATE runs SET seen_at = clock_timestamp(), bytes = bytes + :bytes, errors = errors + :errors,"
    " counts = counts || (SELECT coalesce(jsonb_object_agg(w.key, w.value::bigint"
    " + coalesce((runs.counts ->> w.key)::bigint, 0)), '{}'::jsonb) FROM jsonb_each_text(CAST(:counts AS jsonb)) AS w)"
    " WHERE id = :id"
)
_FINISH = sa.text(
    "UPDATE runs SET state = :state, finished_at = clock_timestamp(), seen_at = clock_timestamp()"
    " WHERE id = :id AND state = 'running' RETURNING id"
)
_BUSY = sa.text(
    "SELECT id FROM runs WHERE kind = :kind AND state = 'running'"
    " AND seen_at > clock_timestamp() - CAST(:silence AS interval)"
    " AND tenant IS NOT DISTINCT FROM :tenant LIMIT 1"
)
_ABANDON = sa.text(
    # a recompute waits for whoever takes it up, however long
    "UPDATE runs SET state = 'abandoned', finished_at = clock_timestamp() WHERE state = 'running'"
    " AND kind <> 'recompute'"
    " AND seen_at < clock_timestamp() - CAST(:silence AS interval)"
)
_CURSOR = sa.text(
    "UPDATE runs SET arguments = arguments || jsonb_build_object('after', CAST(:after AS text)) WHERE id = :id"
)
_PRUNE = sa.text(
    "DELETE FROM runs WHERE state <> 'awaiting approval' AND finished_at < clock_timestamp() - CAST(:kept AS interval)"
)


def begin(
    connection: sa.Connection,
    kind: RunKind,
    *,
    actor: str,
    tenant: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> UUID:
    """Record that a run begins."""
    identity = new_id()
    connection.execute(
        sa.insert(Run).values(id=identity, kind=kind.value, actor=actor, tenant=tenant, arguments=dict(arguments or {}))
    )
    return identity


def add(connection: sa.Connection, run: UUID, *, counts: Mapping[str, int], size: int = 0, errors: int = 0) -> None:
    """Add what a batch did; this is also its sign of progress."""
    connection.execute(_ADD, {"id": run, "bytes": size, "errors": errors, "counts": json.dumps(dict(counts))})


def finish(connection: sa.Connection, run: UUID, state: RunState = RunState.DONE) -> bool:
    """End a running run; False if it was ended already."""
    return connection.execute(_FINISH, {"id": run, "state": state.value}).first() is not None


def busy(connection: sa.Connection, kind: RunKind, *, tenant: str | None, silence: timedelta) -> UUID | None:
    """Return a run of this kind that showed progress within ``silence``."""
    arguments = {"kind": kind.value, "tenant": tenant, "silence": silence}
    found: UUID | None = connection.execute(_BUSY, arguments).scalar()
    return found


def abandon_silent(connection: sa.Connection, *, silence: timedelta) -> int:
    """End runs whose workers are gone: their work was never theirs alone, the schedule has it."""
    return connection.execute(_ABANDON, {"silence": silence}).rowcount


def prune(connection: sa.Connection, *, kept: timedelta) -> int:
    """Forget runs that finished long ago."""
    return connection.execute(_PRUNE, {"kept": kept}).rowcount


def state_of(connection: sa.Connection, run: UUID) -> tuple[RunState, RunKind, str | None, str] | None:
    """Return (state, kind, tenant, actor) of a run."""
    row = connection.execute(sa.select(Run.state, Run.kind, Run.tenant, Run.actor).where(Run.id == run)).first()
    return None if row is None else (RunState(row.state), RunKind(row.kind), row.tenant, row.actor)


def oldest_running(connection: sa.Connection, kind: RunKind) -> tuple[UUID, dict[str, Any]] | None:
    """Return (run, arguments) of the oldest run of a kind that is not finished."""
    statement = sa.select(Run.id, Run.arguments).where(Run.kind == kind.value, Run.state == RunState.RUNNING.value)
    row = connection.execute(statement.order_by(Run.id).limit(1)).first()
    return None if row is None else (row.id, row.arguments)


def move_cursor(connection: sa.Connection, run: UUID, *, after: UUID) -> None:
    """Note how far a run came."""
    connection.execute(_CURSOR, {"id": run, "after": str(after)})


def view(connection: sa.Connection, run: UUID) -> RunView | None:
    """Return one run."""
    found = _views(connection, sa.select(*Run.__table__.c).where(Run.id == run))
    return found[0] if found else None


def latest(connection: sa.Connection, *, kind: RunKind | None, limit: int) -> list[RunView]:
    """Return the newest runs."""
    statement = sa.select(*Run.__table__.c).order_by(Run.started_at.desc()).limit(limit)
    return _views(connection, statement if kind is None else statement.where(Run.kind == kind.value))


def _views(connection: sa.Connection, statement: sa.Select[Any]) -> list[RunView]:
    return [
        RunView(
            id=row.id,
            kind=RunKind(row.kind),
            state=RunState(row.state),
            dry=row.dry,
            tenant=row.tenant,
            counts=row.counts,
            bytes=row.bytes,
            errors=row.errors,
            started_at=row.started_at,
            finished_at=row.finished_at,
            actor=row.actor,
        )
        for row in connection.execute(statement)
    ]
