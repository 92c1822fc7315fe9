"""The first step of every sweep: apply the brake to each tenant before anything is deleted.

Above the limit, the due deletions of a tenant's policies leave the claims, in batches, and the waiting run carries
their current number; below it, all of them return and the run ends. A crash between two batches does no harm: the
commit checks the brake in any case, and the next sweep resumes. A tenant whose survey fails is logged; the other
tenants and the sweep continue.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import brake_counts, runs
from tierkeeper.catalog.brake_counts import Scope
from tierkeeper.catalog.database import Database
from tierkeeper.engine.context import Engine
from tierkeeper.engine.gates import approval, brake, stops
from tierkeeper.engine.moment import Moment

_log = log.get(__name__)


def survey(engine: Engine, *, caller: Caller) -> None:
    """Apply the brake to every tenant with due deletions, and update every run that awaits or has an approval."""
    with engine.catalog.reading() as connection:
        moment = Moment.read(connection, engine)
        waiting = {brake.scope_of(run): run.id for run in brake.waiting(connection)}
        approved = [run.id for run in runs.judged(connection, RunKind.PURGE, RunState.APPROVED)]
        limited = [policy for policy in moment.policies if policy.brake is not None]
        due = brake_counts.tenants_due(connection, now=moment.now)
        keys = {(tenant, "") for tenant in due}
        keys |= {(tenant, p.name) for tenant in due for p in limited if p.match.tenant in {None, tenant}}
        own = brake.own_brakes(moment.policies)
        holders = set(brake_counts.stopping_runs(connection)) - set(waiting.values())
    for run in sorted(holders):
        _try(partial(_finish, engine, run, caller=caller), run=str(run))
    for run in approved:
        _try(partial(_end_if_used, engine.catalog, run, caller=caller), run=str(run))
    for key in sorted(keys | set(waiting)):
        scope = Scope(*key, own)
        _try(partial(_survey_one, engine, scope, waiting.get(key), caller=caller), tenant=scope.tenant)


def _try(look: Callable[[], None], **what: str) -> None:
    try:
        look()
    except Exception:  # noqa: BLE001  after a failed survey the commit still checks the brake
        _log.exception("the brake could not look", **what)


def _survey_one(engine: Engine, scope: Scope, waiting: UUID | None, *, caller: Caller) -> None:
    run = engine.catalog.run(caller, _weigh_deletions, engine, scope, waiting, caller=caller)
    if run is not None:
        stops.stop(engine.catalog, scope, run, lease_seconds=engine.lease, caller=caller)
        engine.catalog.run(caller, _tell, engine, scope, run)
    elif waiting is not None:
        _finish(engine, waiting, caller=caller)


def _weigh_deletions(
    connection: sa.Connection, engine: Engine, scope: Scope, waiting: UUID | None, *, caller: Caller
) -> UUID | None:
    """Return the run that awaits approval above the limit; below it, end the ``waiting`` one and return None."""
    brake_counts.open_alone(connection, scope.tenant)  # no commit begins a run or adds to one meanwhile
    found = None if waiting is None else runs.lock_for_approval(connection, waiting)
    moment = Moment.read(connection, engine)
    limits = brake.limits_of(engine.settings, next((p for p in moment.policies if p.name == scope.policy), None))
    weight = brake.weigh(connection, engine.settings, scope, limits, now=moment.now)
    if weight.over:
        return brake.opened(connection, engine.settings, moment, scope, weight, caller=caller)
    if found is not None and found.state is RunState.AWAITING_APPROVAL:  # else an operator has just decided
        runs.used(connection, found.id)
    return None


def _finish(engine: Engine, run: UUID, *, caller: Caller) -> None:
    """Carry out a decided run that still holds artifacts; release those of a run that is gone or ended."""
    with engine.catalog.reading() as connection:
        found = runs.view(connection, run)
    if found is not None and found.state in {RunState.APPROVED, RunState.REJECTED}:
        approval.step_2_carry_out(engine, run, caller=caller)
    elif found is None or found.state is not RunState.AWAITING_APPROVAL:
        stops.release(engine.catalog, run, caller=caller)


def _tell(connection: sa.Connection, engine: Engine, scope: Scope, run: UUID) -> None:
    """Update a waiting run's counts and sample names."""
    found = runs.lock_for_approval(connection, run)
    if found is None or found.state is not RunState.AWAITING_APPROVAL:
        return
    moment = Moment.read(connection, engine)
    window = engine.settings.engine.brake_window
    _, recent = brake_counts.weigh(connection, scope, now=moment.now, window=window, most=found.arguments["limit"] + 1)
    stopped = brake_counts.count_stopped(connection, run)
    weight = brake.Weight(stopped, recent, found.arguments["limit"])
    told = brake.described(connection, engine.settings, moment, scope, weight)
    runs.tell(connection, run, counts={"stopped": stopped}, arguments=told)


def _end_if_used(catalog: Database, run: UUID, *, caller: Caller) -> None:
    catalog.run(caller, _mark_used, run)


def _mark_used(connection: sa.Connection, run: UUID) -> None:
    found = runs.lock_for_approval(connection, run)
    used = found is not None and found.arguments.get("waits") == brake.WAITS_IN_SCHEDULE
    if used and not brake_counts.approved_left(connection, run) and not brake_counts.count_stopped(connection, run):
        runs.used(connection, run)
