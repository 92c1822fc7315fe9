"""Applying a stored plan: exactly its items of which nothing changed since, by the run's own converge.

1. begin (transaction): the plan is taken by a run; an expired, unfinished or applied one is refused. A plan that was
   made with policies that were not active then is refused until they are: apply does not change policies.
2. converge, a page of items at a time: judge them anew. What has another revision or another governing policy, is not
   due yet, or is refused now, is left with its reason; the others are converged. Then the outcomes are written. A crash
   leaves items without an outcome: to apply the plan again goes on with them, and finds what was done as changed since.
   After an error the run has failed, and another one takes the plan.

What policies delete goes through the brake like in any run: to apply a plan is no approval.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import PlanNotFound, PlanUnusable
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Outcome, RunKind, RunState
from tierkeeper.catalog import artifacts, placements, plans, policies, runs
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.plans import Item, Stored
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine import job
from tierkeeper.engine.context import Engine, Worker
from tierkeeper.engine.converge.converge import converge_these
from tierkeeper.engine.gates import brake
from tierkeeper.engine.job import Job
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.plans.plan import action_of, target_of
from tierkeeper.policy.decision import Decision, when
from tierkeeper.policy.rules import Policy
from tierkeeper.values.plans import AppliedItem

#: a run that shows no progress for so long is no longer at work
_SILENCE = timedelta(minutes=5)
_NEW = "Make a new one with `tierkeeper lifecycle plan --store`"


def apply(
    engine: Engine, plan: UUID, *, caller: Caller, dry_run: bool = False, progress: Callable[[int], None] | None = None
) -> Iterator[AppliedItem]:
    """Yield what becomes of every item that has no outcome yet; PlanNotFound, PlanUnusable."""
    run = step_1_begin(engine, plan, caller=caller, dry_run=dry_run)
    with job.joined(engine.catalog, run) as work:
        after = UUID(int=0)
        while page := step_2_converge(engine, plan, work, after=after, caller=caller):
            after = page[-1].artifact
            yield from page
            if progress is not None:
                progress(len(page))
        work.finish()


def step_1_begin(engine: Engine, plan: UUID, *, caller: Caller, dry_run: bool) -> UUID | None:
    """Return the run that applies the plan, None for a dry run; PlanNotFound, PlanUnusable."""
    if not dry_run:
        return engine.catalog.run(lambda c: _begin(c, plan, caller=caller))
    with engine.catalog.reading() as connection:
        _usable(connection, plans.load(connection, plan), plan)
    return None


def step_2_converge(engine: Engine, plan: UUID, work: Job, *, after: UUID, caller: Caller) -> Sequence[AppliedItem]:
    """Converge the next page of items; return what becomes of each, nothing where there is none left."""
    with engine.catalog.reading() as connection:
        page = plans.items(connection, plan, after=after, limit=engine.settings.engine.batch)
        rows, left = _judge(connection, engine, page)
    going = [item for item in page if item.artifact not in left]
    done = {} if work.run is None else _converge(engine, work, going, caller=caller)
    told = [_told(item, rows, left, done, dry=work.run is None) for item in page]
    if work.run is not None and told:
        outcomes = {one.artifact: f"{one.outcome.value}: {one.detail}".rstrip(": ") for one in told}
        engine.catalog.run(functools.partial(plans.write_outcomes, plan=plan, outcomes=outcomes))
    return told


def _begin(connection: sa.Connection, plan: UUID, *, caller: Caller) -> UUID:
    """Take the plan for a run: a new one, or the one that did not get to its end."""
    found = _usable(connection, plans.load(connection, plan, lock=True), plan)
    earlier = None if found.view.applied_by is None else runs.view(connection, found.view.applied_by)
    if earlier is not None and earlier.state is RunState.RUNNING:
        runs.add(connection, earlier.id, counts={})  # a sign of progress: nobody else takes it up too
        return earlier.id
    arguments = {"plan": str(plan)}
    run = runs.begin(
        connection, RunKind.APPLY, actor=caller.actor, tenant=found.view.arguments.get("tenant"), arguments=arguments
    )
    plans.applied(connection, plan, run=run)
    return run


def _usable(connection: sa.Connection, found: Stored | None, plan: UUID) -> Stored:
    """Return the plan if it may be applied now."""
    if found is None:
        raise PlanNotFound(plan=str(plan))
    now = catalog_now(connection)
    if not found.finished:
        raise PlanUnusable(plan=str(plan), problem="it was never finished", fix=_NEW)
    if found.view.expires_at <= now:
        raise PlanUnusable(plan=str(plan), problem=f"it expired at {when(found.view.expires_at)}", fix=_NEW)
    applied = found.view.applied_by
    if applied is not None:
        _unfinished(connection, plan, applied)
    active = {row.name: row.document for row in policies.active(connection)}
    for candidate in found.policies.get("candidates", ()):
        wanted = {key: value for key, value in candidate.items() if key != "version"}
        if active.get(candidate["name"]) != wanted:
            problem = f"it was made with policy {candidate['name']}, which is not active so"
            fix = "Make it active first with `tierkeeper policy apply`, or make a new plan"
            raise PlanUnusable(plan=str(plan), problem=problem, fix=fix)
    return found


def _unfinished(connection: sa.Connection, plan: UUID, applied: UUID) -> None:
    """Raise PlanUnusable unless the plan's run stopped on its way."""
    run = runs.view(connection, applied)
    if run is None or run.state is RunState.DONE:
        raise PlanUnusable(plan=str(plan), problem=f"run {applied} applied it already", fix=_NEW)
    if run.state is RunState.RUNNING and runs.busy(connection, RunKind.APPLY, tenant=run.tenant, silence=_SILENCE):
        problem = f"run {applied} is applying it, or was less than {_SILENCE.seconds // 60} minutes ago"
        raise PlanUnusable(plan=str(plan), problem=problem, fix="Wait for it, then try again")


def _judge(
    connection: sa.Connection, engine: Engine, page: Sequence[Item]
) -> tuple[dict[UUID, ArtifactRow], dict[UUID, str]]:
    """Return the items' artifacts, and why some are left alone."""
    rows = {row.id: row for row in artifacts.load(connection, [item.artifact for item in page])}
    copies = placements.of_blobs(connection, sorted({r.blob_id for r in rows.values() if r.blob_id}))
    moment = Moment.read(connection, engine)
    left: dict[UUID, str] = {}
    wishes: list[tuple[ArtifactRow, Policy]] = []
    for item in page:
        row = rows[item.artifact]
        decision = moment.decide(row)
        here = copies.get(row.blob_id, []) if row.blob_id else []
        reason = _why_not(engine, item, row, decision, here)
        if reason is not None:
            left[item.artifact] = reason
        elif item.action == "delete":
            wishes.append((row, decision.policy))
    for artifact in brake.foreseen(connection, engine, moment, wishes):
        left[artifact] = "braked: too many are to be deleted at once, so a sweep asks first"
    return rows, left


def _why_not(
    engine: Engine, item: Item, row: ArtifactRow, decision: Decision, here: Sequence[PlacementRow]
) -> str | None:
    """Return why an item is not done, None if it is to be."""
    if row.revision != item.revision:
        return f"changed since: it is at revision {row.revision}, and was at {item.revision}"
    if decision.policy.label != item.policy:
        return f"the policy changed: {decision.policy.label} governs it, and {item.policy} did"
    if decision.refused and decision.blocked:
        return f"refused: {'; '.join(decision.blocked)}"
    if item.blocked:
        return f"the plan says it is refused: {item.blocked}"
    if action_of(row, decision, here) != item.action or target_of(engine, decision) != item.target:
        due = decision.next_due
        return f"not due yet: the next step is {decision.next_step} at {when(due)}" if due else "nothing is to be done"
    return None


def _converge(engine: Engine, work: Job, going: Sequence[Item], *, caller: Caller) -> dict[UUID, Any]:
    worker = Worker(token=new_id(), caller=caller.of_run(), run=work.run)
    report = converge_these(engine, worker, [item.artifact for item in going]) if going else None
    if report is None:
        work.add({})
        return {}
    work.add(report.counts, size=report.copied, errors=report.errors)
    return dict(report.outcomes)


def _told(
    item: Item, rows: dict[UUID, ArtifactRow], left: dict[UUID, str], done: dict[UUID, Any], *, dry: bool
) -> AppliedItem:
    ref = rows[item.artifact].ref
    if item.artifact in left:
        return AppliedItem(ref, item.artifact, item.action, Outcome.NOTHING, left[item.artifact])
    if dry:
        return AppliedItem(ref, item.artifact, item.action, Outcome.DONE, f"would {item.action}")
    result = done.get(item.artifact)
    if result is None:
        return AppliedItem(ref, item.artifact, item.action, Outcome.RETRY, "somebody else works on it")
    return AppliedItem(ref, item.artifact, item.action, result.outcome, result.detail)
