"""The rotation: begin a run, converge what is due batch by batch, until nothing is due or the time is up."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Outcome, RunKind, RunState
from tierkeeper.base.stopping import over
from tierkeeper.catalog import artifacts, heartbeats, runs, schedule
from tierkeeper.catalog.schedule import Claimed
from tierkeeper.engine import job
from tierkeeper.engine.context import Engine, Worker
from tierkeeper.engine.converge.converge import Report, claim_due, converge
from tierkeeper.engine.gates.survey import survey
from tierkeeper.values.artifacts import ItemError
from tierkeeper.values.runs import SweepResult

#: a run that shows no progress for so many leases has lost its workers; the next rotate takes over what they left
SILENT_LEASES = 1.5
_OVER = frozenset({Outcome.DONE, Outcome.NOTHING})
_SAMPLES = 20  # failures that a result names; the run counts them all


def rotate(engine: Engine, *, caller: Caller, tenant: str | None, kind: RunKind = RunKind.ROTATE) -> UUID | None:
    """Begin a run if something is due and no such run is at work.

    The brake looks first, so that what is too much is not counted as due.
    """
    survey(engine, caller=caller)

    def unit(connection: sa.Connection) -> UUID | None:
        if not schedule.any_due(connection, tenant=tenant, tiers=_tiers(engine, kind)):
            return None
        if runs.busy(connection, kind, tenant=tenant, silence=engine.settings.engine.lease * SILENT_LEASES) is not None:
            return None
        return runs.begin(connection, kind, actor=caller.actor, tenant=tenant)

    return engine.catalog.run(unit)


def converge_due(
    engine: Engine, run: UUID, *, deadline: float | None = None, progress: Callable[[int], None] | None = None
) -> SweepResult:
    """Converge due artifacts for a run until nothing is due (``more`` False) or the deadline is over."""
    found = engine.catalog.run(lambda connection: runs.state_of(connection, run))
    if found is None:
        raise InvalidInput(
            field="run", value=str(run), problem="there is no such run", fix="See `tierkeeper runs list`."
        )
    state, kind, tenant, actor = found
    with job.joined(engine.catalog, run) as work:
        if state is not RunState.RUNNING:
            return work.result()
        while not over(deadline):
            began = time.monotonic()
            worker = Worker(token=new_id(), caller=Caller(actor), run=run)
            claimed = claim_due(engine, worker, tenant=tenant, tiers=_tiers(engine, kind))
            if not claimed:
                work.finish()
                return work.result()
            report = converge(engine, worker, claimed)
            work.add(
                report.counts,
                size=report.copied,
                errors=report.errors,
                failures=_failures(engine, report, most=_SAMPLES - len(work.failures)),
                also=partial(heartbeats.add_done, counts=_waits(claimed, report, since=began)),
            )
            if progress is not None:
                progress(len(report.outcomes))
        return work.result(more=True)


def _failures(engine: Engine, report: Report, *, most: int) -> list[ItemError]:
    """Return what of a batch was not done, by name."""
    bad = {i: r for i, r in report.outcomes.items() if r.outcome in {Outcome.RETRY, Outcome.PARKED}}
    named = sorted(bad)[:most]
    if not named:
        return []
    with engine.catalog.reading() as connection:
        rows = artifacts.load(connection, named)
    return [ItemError(row.ref, {"error": bad[row.id].outcome.value, "message": bad[row.id].detail}) for row in rows]


def _waits(claimed: Sequence[Claimed], report: Report, *, since: float) -> dict[int, int]:
    """Return from due to done, for what was done: see ``heartbeats``."""
    took = time.monotonic() - since
    done = {artifact for artifact, result in report.outcomes.items() if result.outcome in _OVER}
    return heartbeats.waits(c.waited + took for c in claimed if c.artifact in done)


def _tiers(engine: Engine, kind: RunKind) -> list[str] | None:
    """Return which tiers' copies a run is about: ``clean_hot`` has the database tiers, others everything."""
    return [t.name for t in engine.tiers if t.is_database] if kind is RunKind.CLEAN_HOT else None
