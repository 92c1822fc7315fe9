"""The records of sweeps and bulk jobs; counters are written in transactions of their own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from models.run import RUNS
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog.statements import typed
from tierkeeper.values.runs import RunView

_ADD = sa.text("""
    UPDATE runs
    SET seen_at = clock_timestamp(), bytes = bytes + :bytes, errors = errors + :errors,
        counts = counts || (
            SELECT coalesce(
                jsonb_object_agg(w.key, w.value::bigint + coalesce((runs.counts ->> w.key)::bigint, 0)), '{}'::jsonb
            )
            FROM jsonb_each_text(:counts) AS w
        )
    WHERE id = :id
""").bindparams(*typed(counts="jsonb"))
_FINISH = sa.text("""
    UPDATE runs
    SET state = :state, finished_at = clock_timestamp(), seen_at = clock_timestamp()
    WHERE id = :id AND state = 'running'
    RETURNING id
""")
_FAIL = sa.text("""
    UPDATE runs
    SET state = 'failed', finished_at = clock_timestamp(), seen_at = clock_timestamp(),
        arguments = arguments || jsonb_build_object('reason', :reason)
    WHERE id = :id AND state = 'running'
    RETURNING id
""").bindparams(*typed(reason="text"))
_BUSY = sa.text("""
    SELECT id
    FROM runs
    WHERE kind = :kind
        AND state = 'running'
        -- a time from the future, by a clock that was ahead, is no sign of life
        AND seen_at BETWEEN statement_timestamp() - CAST(:silence AS interval)
            AND statement_timestamp() + CAST(:silence AS interval)
        AND tenant IS NOT DISTINCT FROM :tenant
    LIMIT 1
""")
_OTHERS = sa.text("""
    SELECT EXISTS (SELECT FROM runs WHERE kind = :kind AND state = 'running' AND id IS DISTINCT FROM :run)
""").bindparams(*typed(run="uuid"))
_ABANDON = sa.text("""
    UPDATE runs
    SET state = 'abandoned', finished_at = clock_timestamp(),
        arguments = arguments || jsonb_build_object('reason', :reason)
    WHERE state = 'running'
        AND kind <> 'recompute'  -- it waits for whoever takes it up, however long
        AND seen_at NOT BETWEEN statement_timestamp() - CAST(:silence AS interval)
            AND statement_timestamp() + CAST(:silence AS interval)
""").bindparams(*typed(reason="text"))
_OLDEST_RECOMPUTE = sa.text("""
    SELECT id
    FROM runs
    WHERE kind = 'recompute' AND state IN ('running', 'failed') AND NOT id = ANY(:but)
    ORDER BY id LIMIT 1
""").bindparams(*typed(but="uuid[]"))
_TAKE_UP = sa.text("""
    UPDATE runs
    SET state = 'running', finished_at = NULL, seen_at = clock_timestamp(), arguments = arguments - 'reason'
    WHERE id = :id AND state IN ('abandoned', 'running')  -- another of its messages may have made it running
""")
_RESUME = sa.text("""
    UPDATE runs
    SET state = 'running', finished_at = NULL, seen_at = clock_timestamp(), arguments = arguments - 'reason'
    WHERE id = :id
        AND kind = 'recompute'
        AND state IN ('failed', 'running')  -- it waits for whoever takes it up
""")
_TELL = sa.text("""
    UPDATE runs
    SET seen_at = clock_timestamp(), counts = :counts,
        arguments = arguments || :arguments
    -- what was decided meanwhile was decided about other numbers
    WHERE id = :id AND state = 'awaiting approval'
    RETURNING id
""").bindparams(*typed(counts="jsonb", arguments="jsonb"))
_DECIDE = sa.text("""
    UPDATE runs
    SET state = :state, approval = :approval, seen_at = clock_timestamp(),
        finished_at = CASE WHEN :state = 'rejected' THEN clock_timestamp() END
    WHERE id = :id AND state = 'awaiting approval'
""").bindparams(*typed(approval="jsonb"))
_USED = sa.text("""
    UPDATE runs
    SET state = 'done', finished_at = clock_timestamp(), seen_at = clock_timestamp()
    WHERE id = :id AND state IN ('awaiting approval', 'approved')
    RETURNING id
""")
_PRUNE = sa.text("""
    DELETE FROM runs
    WHERE state NOT IN ('awaiting approval', 'approved')
        AND finished_at < statement_timestamp() - :kept
""")
_END_UNASKED = sa.text("""
    DELETE FROM runs
    WHERE state IN ('awaiting approval', 'approved')
        -- what waits in the schedule is counted by each rotation, which ends it
        AND (arguments ->> 'waits' = :waits OR kind = 'reconcile')
        AND seen_at < statement_timestamp() - :kept
""")


class Arguments(Protocol):
    """The data of a run, stored with it as JSON: what it works on, and why it awaits an approval."""

    def as_json(self) -> Mapping[str, Any]:
        """Return the stored JSON."""


@dataclass(frozen=True, slots=True)
class ApplyArguments:
    """The plan that a run applies."""

    plan: UUID

    def as_json(self) -> Mapping[str, Any]:
        """Return the stored JSON."""
        return {"plan": str(self.plan)}


@dataclass(frozen=True, slots=True)
class PartArguments:
    """That a run of a sweep's kind is about a part: what was named. Its success is none of the sweep's."""

    def as_json(self) -> Mapping[str, Any]:
        """Return the stored JSON."""
        return {"part": True}


@dataclass(frozen=True, slots=True)
class AcceptArguments:
    """Why the catalog was not trusted before an operator accepted it."""

    doubt: str

    def as_json(self) -> Mapping[str, Any]:
        """Return the stored JSON."""
        return {"accepted": self.doubt}


def begin(
    connection: sa.Connection,
    kind: RunKind,
    *,
    actor: str,
    tenant: str | None = None,
    arguments: Arguments | None = None,
) -> UUID:
    """Record that a run begins."""
    return _insert(connection, kind, actor=actor, tenant=tenant, arguments=arguments)


def _insert(
    connection: sa.Connection,
    kind: RunKind,
    *,
    actor: str,
    tenant: str | None,
    arguments: Arguments | None,
    **values: Any,  # noqa: ANN401  other columns of the table
) -> UUID:
    identity = new_id()
    stored = {} if arguments is None else dict(arguments.as_json())
    row = {"kind": kind.value, "actor": actor, "tenant": tenant, "arguments": stored}
    connection.execute(sa.insert(RUNS).values(id=identity, **row, **values))
    return identity


@dataclass(frozen=True, slots=True)
class ApprovalRun:
    """A run that waits for an operator's decision, or was decided."""

    id: UUID
    kind: RunKind
    state: RunState
    tenant: str | None
    actor: str
    counts: Mapping[str, int]
    arguments: Mapping[str, Any]
    approval: Mapping[str, Any] | None


_JUDGED = sa.select(*(RUNS.c[name] for name in ApprovalRun.__dataclass_fields__))


def await_approval(
    connection: sa.Connection,
    kind: RunKind,
    *,
    actor: str,
    tenant: str | None,
    arguments: Arguments,
    counts: Mapping[str, int],
) -> UUID:
    """Record a run that continues only after an approval; ``arguments`` has the ``reason``."""
    waiting = {"state": RunState.AWAITING_APPROVAL.value, "counts": dict(counts)}
    return _insert(connection, kind, actor=actor, tenant=tenant, arguments=arguments, **waiting)


def judged(connection: sa.Connection, kind: RunKind, *states: RunState) -> list[ApprovalRun]:
    """Return the runs of a kind in these states (awaiting approval, approved), oldest first."""
    chosen = [state.value for state in states]
    # the states as literals too, or the planner does not see that the partial index has them all
    partial = RUNS.c.state.in_([sa.literal_column("'awaiting approval'"), sa.literal_column("'approved'")])
    statement = _JUDGED.where(RUNS.c.kind == kind.value, RUNS.c.state.in_(chosen), partial)
    return [_judged(row) for row in connection.execute(statement.order_by(RUNS.c.id))]


def lock_for_approval(connection: sa.Connection, run: UUID) -> ApprovalRun | None:
    """Lock a run until the transaction ends; None if there is none."""
    row = connection.execute(_JUDGED.where(RUNS.c.id == run).with_for_update()).first()
    return None if row is None else _judged(row)


def decide(connection: sa.Connection, run: UUID, state: RunState, *, approval: Mapping[str, Any]) -> None:
    """Write an operator's decision about a locked run."""
    connection.execute(_DECIDE, {"id": run, "state": state.value, "approval": dict(approval)})


def tell(connection: sa.Connection, run: UUID, *, counts: Mapping[str, int], arguments: Arguments) -> bool:
    """Write the present counts and arguments of a waiting run; False if it does not wait any more."""
    told = {"counts": dict(counts), "arguments": dict(arguments.as_json())}
    return connection.execute(_TELL, {"id": run, **told}).first() is not None


def used(connection: sa.Connection, run: UUID) -> bool:
    """End a run whose approval is used up, or that needs none any more; False if it was ended already."""
    return connection.execute(_USED, {"id": run}).first() is not None


def _judged(row: Any) -> ApprovalRun:  # noqa: ANN401  a driver's row
    return ApprovalRun(**{**row._mapping, "kind": RunKind(row.kind), "state": RunState(row.state)})  # noqa: SLF001  SQLAlchemy's public name


def add(connection: sa.Connection, run: UUID, *, counts: Mapping[str, int], size: int = 0, errors: int = 0) -> None:
    """Add a batch's counts, which is also the run's sign of progress."""
    connection.execute(_ADD, {"id": run, "bytes": size, "errors": errors, "counts": dict(counts)})


def finish(connection: sa.Connection, run: UUID, state: RunState = RunState.DONE) -> bool:
    """End a running run; False if it was ended already."""
    return connection.execute(_FINISH, {"id": run, "state": state.value}).first() is not None


def fail(connection: sa.Connection, run: UUID, *, reason: str) -> bool:
    """End a running run that an error ended; False if it was ended already."""
    return connection.execute(_FAIL, {"id": run, "reason": reason}).first() is not None


def busy(connection: sa.Connection, kind: RunKind, *, tenant: str | None, silence: timedelta) -> UUID | None:
    """Return a run of this kind that showed progress within ``silence``."""
    arguments = {"kind": kind.value, "tenant": tenant, "silence": silence}
    found: UUID | None = connection.execute(_BUSY, arguments).scalar()
    return found


def others(connection: sa.Connection, kind: RunKind, *, than: UUID | None) -> bool:
    """Return whether another run of this kind has not ended, as far as is known."""
    return bool(connection.execute(_OTHERS, {"kind": kind.value, "run": than}).scalar_one())


def abandon_silent(connection: sa.Connection, *, silence: timedelta, reason: str) -> int:
    """End runs without a sign for ``silence``: their workers are gone, and the schedule still has their work."""
    return connection.execute(_ABANDON, {"silence": silence, "reason": reason}).rowcount


def prune(connection: sa.Connection, *, kept: timedelta) -> int:
    """Delete runs that finished longer than ``kept`` ago; return how many."""
    return connection.execute(_PRUNE, {"kept": kept}).rowcount


def end_unasked(connection: sa.Connection, *, waits: str, kept: timedelta) -> int:
    """Delete runs that wait so, approved ones too, about which nothing was heard for ``kept``; return how many.

    And those of reconciles, as long after the last one that found too much.
    """
    return connection.execute(_END_UNASKED, {"waits": waits, "kept": kept}).rowcount


def state_of(connection: sa.Connection, run: UUID) -> tuple[RunState, RunKind, str | None, str] | None:
    """Return (state, kind, tenant, actor) of a run."""
    columns = (RUNS.c.state, RUNS.c.kind, RUNS.c.tenant, RUNS.c.actor)
    row = connection.execute(sa.select(*columns).where(RUNS.c.id == run)).first()
    return None if row is None else (RunState(row.state), RunKind(row.kind), row.tenant, row.actor)


def oldest_recompute(connection: sa.Connection, *, but: Collection[UUID] = ()) -> UUID | None:
    """Return the oldest recompute that is not finished, failed ones among them, but none of these."""
    found: UUID | None = connection.execute(_OLDEST_RECOMPUTE, {"but": list(but)}).scalar()
    return found


def take_up(connection: sa.Connection, run: UUID) -> bool:
    """Make an abandoned run a running one, or renew a running one's sign of life; False if it has ended otherwise."""
    return connection.execute(_TAKE_UP, {"id": run}).rowcount > 0


def resume(connection: sa.Connection, run: UUID) -> bool:
    """Make a failed recompute a running one, or renew a running one's sign of life; False if it has ended."""
    return connection.execute(_RESUME, {"id": run}).rowcount > 0


def view(connection: sa.Connection, run: UUID) -> RunView | None:
    """Return one run."""
    found = _views(connection, sa.select(RUNS).where(RUNS.c.id == run))
    return found[0] if found else None


def latest(connection: sa.Connection, *, kind: RunKind | None, limit: int) -> list[RunView]:
    """Return the newest runs; those of a clock that was ahead come last, since when they began is not known."""
    statement = sa.select(RUNS).order_by(RUNS.c.started_at.desc())
    if kind is not None:
        statement = statement.where(RUNS.c.kind == kind.value)
    ahead = RUNS.c.started_at > sa.func.statement_timestamp()
    found = _views(connection, statement.where(~ahead).limit(limit))
    return [*found, *_views(connection, statement.where(ahead).limit(limit - len(found)))]


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
            reason=row.arguments.get("reason", ""),
            arguments=row.arguments,
            approval=row.approval,
        )
        for row in connection.execute(statement)
    ]
