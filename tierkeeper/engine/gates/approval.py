"""An operator's decision about a run that awaits approval; its author, time and reason are kept in the run.

1. decide (transaction): the run becomes ``approved`` or ``rejected``, with its event. A crash after it leaves artifacts
   that the run still holds: repeating the same decision resumes.
2. carry out, in batches, for deletions that the brake stopped. Approved: exactly the artifacts that were counted go
   back to the sweep; those that came due since are checked by the brake again. Rejected: the same artifacts are pinned
   (``not_before``) for ``engine.undelete_pin``, as an undelete does, and the brake applies again afterwards; an
   operator may purge them at any time.

Runs of other kinds are only decided here; their own sweeps look for an approved run.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.artifacts import Pinned, PinnedUntil
from tierkeeper.audit.runs import AwaitingRun, RunApproved, RunDecision, RunRejected
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import RunGrew, RunNotAwaiting, RunNotFound
from tierkeeper.base.states import RunState
from tierkeeper.catalog import artifacts, blobs, brake_counts, events, runs, schedule
from tierkeeper.catalog.brake_counts import Scope
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.runs import ApprovalRun
from tierkeeper.engine.context import Engine
from tierkeeper.engine.gates import brake, stops
from tierkeeper.engine.moment import Moment
from tierkeeper.values.runs import RunView

_BATCH = 20_000  # rows of the schedule per transaction
_PINNED = 500  # artifacts pinned per transaction


def approve(engine: Engine, run: UUID, *, caller: Caller, reason: str, at_most: int | None = None) -> RunView:
    """Release the deletions that a run counted; a repeated call resumes an interrupted one.

    Raises RunNotFound, RunNotAwaiting, and RunGrew if the run counts more than ``at_most`` by now: an approval covers
    only the number that the operator has seen.
    """
    step_1_decide(engine, run, RunState.APPROVED, caller=caller, reason=reason, at_most=at_most)
    return step_2_carry_out(engine, run, caller=caller)


def reject(engine: Engine, run: UUID, *, caller: Caller, reason: str) -> RunView:
    """Keep the artifacts that a run counted; a repeated call resumes. Raises RunNotFound, RunNotAwaiting."""
    step_1_decide(engine, run, RunState.REJECTED, caller=caller, reason=reason)
    return step_2_carry_out(engine, run, caller=caller)


def step_1_decide(
    engine: Engine, run: UUID, state: RunState, *, caller: Caller, reason: str, at_most: int | None = None
) -> None:
    """Write the decision; the same decision made before is left as it is."""
    _stop_due(engine, run, caller=caller)
    engine.catalog.run(caller, _write_decision, run, state, caller=caller, reason=reason, at_most=at_most)


def _write_decision(
    connection: sa.Connection, run: UUID, state: RunState, *, caller: Caller, reason: str, at_most: int | None
) -> None:
    known = runs.view(connection, run)
    if known is not None and known.tenant is not None:
        brake_counts.open_alone(connection, known.tenant)  # no commit adds to a run while it is decided
    found = runs.lock_for_approval(connection, run)
    if found is None:
        raise RunNotFound(run=str(run))
    if found.state is state:
        return
    if found.state is not RunState.AWAITING_APPROVAL:
        raise RunNotAwaiting(run=str(run), state=found.state.value)
    count = int(found.counts.get("stopped", sum(map(int, found.counts.values()))))
    if at_most is not None and count > at_most:
        raise RunGrew(run=str(run), count=count, at_most=at_most)
    now = catalog_now(connection)
    decision: dict[str, Any] = {
        "decision": state.value,
        "by": caller.actor,
        "reason": reason,
        "at": now.isoformat(),
    }
    runs.decide(connection, run, state, approval={**decision, **_upto(connection, found)})
    decided = RunApproved if state is RunState.APPROVED else RunRejected
    line = events.Line(
        subject=run,
        revision=events.next_revision(connection, run),
        payload=decided(
            before=AwaitingRun(state=found.state, counts=found.counts),
            after=RunDecision(state=state, reason=reason),
        ),
        actor=caller.actor,
        tenant=found.tenant,
        run=run,
    )
    events.append(connection, [line], at=now)


def step_2_carry_out(engine: Engine, run: UUID, *, caller: Caller) -> RunView:
    """Apply the decision to everything that the run still holds; return the run."""
    found = _view(engine.catalog, run)
    upto = _key(found)
    if upto is not None and found.state is RunState.REJECTED:
        while engine.catalog.run(caller, _pin, engine, found, upto):
            pass
    elif upto is not None:
        while engine.catalog.run(caller, _let_go, run, upto):
            pass
    stops.release(engine.catalog, run, caller=caller)
    return _view(engine.catalog, run)


def _stop_due(engine: Engine, run: UUID, *, caller: Caller) -> None:
    """Hold all due deletions of a waiting run: one begun by a commit has only that batch until the next sweep."""
    with engine.catalog.reading() as connection:
        found = next((waiting for waiting in brake.waiting(connection) if waiting.id == run), None)
        own = brake.own_brakes(Moment.read(connection, engine).policies)
    if found is not None:
        stops.stop(engine.catalog, Scope(*brake.scope_of(found), own), run, lease_seconds=engine.lease, caller=caller)


def _upto(connection: sa.Connection, found: ApprovalRun) -> dict[str, str]:
    """Return the key of the last artifact that the run counted, so that a retry after a crash covers exactly these."""
    if not _in_schedule(found):
        return {}
    counted = int(found.counts.get("stopped", 0))
    last = brake_counts.last(connection, found.id, count=min(counted, brake_counts.count_stopped(connection, found.id)))
    return {} if last is None else {"due_at": last[0].isoformat(), "artifact": str(last[1])}


def _key(found: RunView) -> tuple[datetime, UUID] | None:
    approval = found.approval or {}
    if "due_at" not in approval:
        return None
    return datetime.fromisoformat(approval["due_at"]), UUID(approval["artifact"])


def _in_schedule(found: ApprovalRun) -> bool:
    return found.arguments.get("waits") == brake.WAITS_IN_SCHEDULE


def _let_go(connection: sa.Connection, run: UUID, upto: tuple[datetime, UUID]) -> bool:
    """Release one batch; return True if the run holds more. Another process may carry out the same run meanwhile."""
    brake_counts.let_go(connection, run, upto=upto, limit=_BATCH)
    return bool(brake_counts.some_stopped(connection, run, upto=upto, limit=1))


def _pin(connection: sa.Connection, engine: Engine, run: RunView, upto: tuple[datetime, UUID]) -> int:
    """Pin one batch of what a rejected run holds; return how many artifacts that batch had."""
    ids = brake_counts.some_stopped(connection, run.id, upto=upto, limit=_PINNED)
    if not ids:
        return 0
    blobs.lock(connection, artifacts.blobs_of(connection, ids))
    rows = artifacts.lock(connection, ids)
    held = schedule.lock(connection, ids)
    moment = Moment.read(connection, engine)
    now = moment.now
    said = run.approval or {}
    until = now + engine.settings.engine.undelete_pin
    still_held = [row for row in rows if (found := held.get(row.id)) is not None and found.braked_by == run.id]
    coming, lines = [], []
    for row in still_held:
        row.not_before = until if row.not_before is None else max(until, row.not_before)
        row.revision += 1
        decision = moment.decide(row)
        due_at = decision.due_at(row.wanted, now=now) or now
        deletes = decision.deleting_policy(due_at)
        coming.append(schedule.Coming(row.id, row.tenant, due_at, decision.next_step, deletes))
        lines.append(
            events.of_artifact(
                row,
                Pinned(after=PinnedUntil(not_before=row.not_before, reason=said["reason"])),
                revision=row.revision,
                now=now,
                actor=said["by"],
                run=run.id,
            )
        )
    artifacts.write_asked(connection, still_held)
    schedule.put(connection, coming)
    events.append(connection, lines, at=now)
    return len(ids)


def _view(catalog: Database, run: UUID) -> RunView:
    with catalog.reading() as connection:
        found = runs.view(connection, run)
    if found is None:
        raise RunNotFound(run=str(run))
    return found
