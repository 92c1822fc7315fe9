"""The rotation: begin a run, then converge due artifacts batch by batch, until none is due or the deadline is over."""

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import InvalidInput, SweepAtWork
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Outcome, RunKind, RunState
from tierkeeper.base.stopping import over
from tierkeeper.catalog import artifacts, heartbeats, runs, schedule
from tierkeeper.catalog.database import Database
from tierkeeper.catalog.schedule import Claimed
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine, Worker
from tierkeeper.engine.converge.converge import Report, claim_due, converge
from tierkeeper.engine.gates.survey import survey
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.values.artifacts import ItemError
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.runs import SweepResult

#: a run without progress for so many leases has lost its workers; the next rotate takes over their artifacts
SILENT_LEASES = 1.5
_OVER = frozenset({Outcome.DONE, Outcome.NOTHING})
_SAMPLES = 20  # failed artifacts that a result names; the run counts all


def rotate(engine: Engine, *, caller: Caller, tenant: str | None, kind: RunKind = RunKind.ROTATE) -> UUID | None:
    """Begin a run and return its id; None if nothing is due. Raises SweepAtWork where such a run is at work.

    The brake's survey comes first, so that artifacts it stops do not count as due.
    """
    survey(engine, caller=caller)
    return engine.catalog.run(
        caller,
        _begin_run,
        kind,
        actor=caller.actor,
        tenant=tenant,
        tiers=_tiers(engine.tiers, kind),
        lease_seconds=engine.lease,
        silence=engine.settings.engine.lease * SILENT_LEASES,
    )


def _begin_run(
    connection: sa.Connection,
    kind: RunKind,
    *,
    actor: str,
    tenant: str | None,
    tiers: Sequence[str] | None,
    lease_seconds: float,
    silence: timedelta,
) -> UUID | None:
    if not schedule.any_due(connection, tenant=tenant, lease_seconds=lease_seconds, tiers=tiers):
        return None
    working = runs.busy(connection, kind, tenant=tenant, silence=silence)
    if working is not None:
        raise SweepAtWork(kind=kind.value, run=str(working))
    return run_life.begin_run(connection, kind, actor=actor, tenant=tenant)


def converge_due(
    engine: Engine, run: UUID, *, deadline: float | None = None, progress: ProgressCallback | None = None
) -> SweepResult:
    """Converge due artifacts for a run until none is due (``more`` False) or the deadline (``time.monotonic``) is over.

    Raises InvalidInput where there is no such run. A run that has ended does no work, but for one that was taken for
    dead while its messages waited in their queue: it is taken up. The first of several calls for a run that finds
    nothing due ends it; a call that has a batch at that time adds its counts afterwards.
    """
    with engine.catalog.reading() as connection:
        row = runs.state_of(connection, run)
    if row is None:
        raise InvalidInput(
            field="run", value=str(run), problem="there is no such run", fix="See `tierkeeper runs list`."
        )
    state, kind, tenant, actor = row
    with run_life.joined(engine, run, caller=Caller.stored(actor)) as work:
        if state not in {RunState.ABANDONED, RunState.RUNNING}:
            return work.result()
        if state is RunState.ABANDONED and not engine.catalog.run(Caller.stored(actor), runs.take_up, run):
            return work.result()  # another of its messages took it up, and ended it
        while not over(deadline):
            began = time.monotonic()
            worker = Worker(new_id(), Caller.stored(actor), run, progressed=work.progressed)
            claimed = claim_due(engine, worker, tenant=tenant, tiers=_tiers(engine.tiers, kind))
            if not claimed:
                work.finish()
                return work.result()
            report = converge(engine, worker, claimed)
            work.add(
                report.counts,
                size=report.copied,
                errors=report.errors,
                failures=_failures(engine.catalog, report, most=_SAMPLES - len(work.failures)),
                also=partial(heartbeats.add_done, counts=_waits(claimed, report, since=began)),
            )
            if progress is not None:
                progress(len(report.outcomes))
        return work.result(more=True)


def _failures(catalog: Database, report: Report, *, most: int) -> list[ItemError]:
    """Return up to ``most`` artifacts of a batch that are to be retried or were parked, with the reason."""
    bad = {i: r for i, r in report.outcomes.items() if r.outcome in {Outcome.RETRY, Outcome.PARKED}}
    named = sorted(bad)[:most]
    if not named:
        return []
    with catalog.reading() as connection:
        rows = artifacts.load(connection, named)
    return [ItemError(row.ref, {"error": bad[row.id].outcome.value, "message": bad[row.id].detail}) for row in rows]


def _waits(claimed: Sequence[Claimed], report: Report, *, since: float) -> dict[int, int]:
    """Return the waits from due to done of the artifacts that are done, counted as by ``heartbeats.waits``."""
    took = time.monotonic() - since
    done = {artifact for artifact, result in report.outcomes.items() if result.outcome in _OVER}
    return heartbeats.waits([c.waited + took for c in claimed if c.artifact in done])


def _tiers(tiers: Sequence[TierInfo], kind: RunKind) -> list[str] | None:
    """Return the tiers that a run is limited to: the database tiers for ``clean_hot``, None (no limit) for others."""
    return [t.name for t in tiers if t.is_database] if kind is RunKind.CLEAN_HOT else None
