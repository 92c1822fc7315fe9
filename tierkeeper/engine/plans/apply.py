"""Apply a stored plan: converge, in one run, exactly those of its items that have not changed since.

1. begin (transaction): assign the plan to a run; an expired, unfinished or applied plan is refused. A plan made with
   policies that were not active then is refused until they are: apply does not change policies.
2. converge, a page of items at a time: judge them again. An item with another revision or another governing policy, not
   due yet, or refused now, is skipped with the reason; the others are converged. Then the outcomes are written, but for
   items that another worker has leased: nothing was tried. (One that a store refused for now has been tried, and its
   schedule tries it again.) A crash leaves items without an outcome: applying the plan again continues with them, and
   reports those that were converged already as changed since. After an error, and when items without an outcome remain,
   the run has failed, and another run takes the plan.

Deletions by policy go through the brake as in any run: applying a plan is no approval.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import PlanNotFound, PlanUnusable
from tierkeeper.base.ids import in_order, new_id
from tierkeeper.base.states import Outcome, RunKind, RunState
from tierkeeper.catalog import artifacts, placements, plans, policies, runs, schedule
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.plans import PlannedArtifact, StoredPlan
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.catalog.schedule import ScheduleEntry
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine, Worker
from tierkeeper.engine.converge.converge import converge_these
from tierkeeper.engine.gates import brake
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.plans.preview import action_of, target_of
from tierkeeper.engine.run_life import SILENCE, Job
from tierkeeper.policy.decision import Decision, when
from tierkeeper.policy.rules import Policy
from tierkeeper.values.plans import AppliedItem
from tierkeeper.values.progress import ProgressCallback

_NEW = "Make a new one with `tierkeeper lifecycle plan --store`"


@dataclass(frozen=True, slots=True)
class AppliedPage:
    """The results of a page of items; ``leased``: artifacts of the items that remain in the plan."""

    items: Sequence[AppliedItem]
    leased: frozenset[UUID]


def apply(
    engine: Engine, plan: UUID, *, caller: Caller, dry_run: bool = False, progress: ProgressCallback | None = None
) -> Iterator[AppliedItem]:
    """Yield the result of every item that has no outcome yet. Raises PlanNotFound, PlanUnusable."""
    run = step_1_begin(engine.catalog, plan, caller=caller, dry_run=dry_run)
    with run_life.joined(engine, run, caller=caller) as work:
        after, leased = UUID(int=0), 0
        while (page := step_2_converge(engine, plan, work, after=after, caller=caller)).items:
            after = page.items[-1].artifact
            leased += len(page.leased)
            yield from page.items
            if progress is not None:
                progress(len(page.items))
        if leased:
            work.leave(f"{leased} of the plan's items were leased by another worker: apply it again")
        else:
            work.finish()


def step_1_begin(catalog: Database, plan: UUID, *, caller: Caller, dry_run: bool) -> UUID | None:
    """Return the run that applies the plan, None for a dry run. Raises PlanNotFound, PlanUnusable."""
    if not dry_run:
        return catalog.run(caller, _begin, plan, caller=caller)
    with catalog.reading() as connection:
        _usable(connection, plans.load(connection, plan), plan)
    return None


def step_2_converge(engine: Engine, plan: UUID, work: Job, *, after: UUID, caller: Caller) -> AppliedPage:
    """Converge the page of items after artifact ``after``; return their results, none at the end."""
    with engine.catalog.reading() as connection:
        page = plans.items(connection, plan, after=after, limit=engine.settings.engine.batch)
        rows, skipped = _judge(connection, engine, page)
    going = [item for item in page if item.artifact not in skipped]
    done = {} if work.run is None else _converge(engine, work, going, caller=caller)
    applied = [_applied_item(item, rows, skipped, done, dry=work.run is None) for item in page]
    if work.run is None or not applied:
        return AppliedPage(applied, frozenset())
    leased = frozenset(item.artifact for item in going if item.artifact not in done)
    outcomes = {
        item.artifact: f"{item.outcome.value}: {item.detail}".rstrip(": ")
        for item in applied
        if item.artifact not in leased
    }
    engine.catalog.run(caller, plans.write_outcomes, plan, outcomes)
    return AppliedPage(applied, leased)


def _begin(connection: sa.Connection, plan: UUID, *, caller: Caller) -> UUID:
    """Assign the plan to a new run, or resume the run of an earlier apply that went silent."""
    stored_plan = _usable(connection, plans.load(connection, plan, lock=True), plan)
    earlier = None if stored_plan.view.applied_by is None else runs.view(connection, stored_plan.view.applied_by)
    if earlier is not None and earlier.state is RunState.RUNNING and runs.take_up(connection, earlier.id):
        return earlier.id  # with a sign of life, so that no other apply resumes it too
    tenant, arguments = stored_plan.view.arguments.get("tenant"), runs.ApplyArguments(plan)
    run = runs.begin(connection, RunKind.APPLY, actor=caller.actor, tenant=tenant, arguments=arguments)
    plans.applied(connection, plan, run=run)
    return run


def _usable(connection: sa.Connection, stored_plan: StoredPlan | None, plan: UUID) -> StoredPlan:
    """Return the plan if it may be applied now; raises PlanNotFound, PlanUnusable."""
    if stored_plan is None:
        raise PlanNotFound(plan=str(plan))
    now = catalog_now(connection)
    if not stored_plan.finished:
        raise PlanUnusable(plan=str(plan), problem="it was never finished", fix=_NEW)
    if stored_plan.view.expires_at <= now:
        raise PlanUnusable(plan=str(plan), problem=f"it expired at {when(stored_plan.view.expires_at)}", fix=_NEW)
    applied = stored_plan.view.applied_by
    if applied is not None:
        _unfinished(connection, plan, applied)
    active = {row.name: row.document for row in policies.active(connection)}
    for candidate in stored_plan.policies.get("candidates", ()):
        wanted = {key: value for key, value in candidate.items() if key != "version"}
        if active.get(candidate["name"]) != wanted:
            problem = f"it was made with policy {candidate['name']}, which is not active so"
            fix = "Make it active first with `tierkeeper policy apply`, or make a new plan"
            raise PlanUnusable(plan=str(plan), problem=problem, fix=fix)
    return stored_plan


def _unfinished(connection: sa.Connection, plan: UUID, applied: UUID) -> None:
    """Raise PlanUnusable unless the plan's run failed or went silent."""
    run = runs.view(connection, applied)
    if run is None or run.state is RunState.DONE:
        raise PlanUnusable(plan=str(plan), problem=f"run {applied} applied it already", fix=_NEW)
    if run.state is RunState.RUNNING and runs.busy(connection, RunKind.APPLY, tenant=run.tenant, silence=SILENCE):
        problem = f"run {applied} is applying it, or was less than {SILENCE.seconds // 60} minutes ago"
        raise PlanUnusable(plan=str(plan), problem=problem, fix="Wait for it, then try again")


def _judge(
    connection: sa.Connection, engine: Engine, page: Sequence[PlannedArtifact]
) -> tuple[dict[UUID, ArtifactRow], dict[UUID, str]]:
    """Return the items' artifacts, and by artifact the reasons of the skipped ones."""
    rows = {row.id: row for row in artifacts.load(connection, [item.artifact for item in page])}
    copies = placements.of_blobs(connection, in_order(r.blob_id for r in rows.values() if r.blob_id))
    entries = schedule.of_many(connection, list(rows))
    moment = Moment.read(connection, engine)
    skipped: dict[UUID, str] = {}
    wishes: list[tuple[ArtifactRow, Policy]] = []
    for item in page:
        row = rows[item.artifact]
        decision = moment.decide(row)
        blob_copies = copies.get(row.blob_id, []) if row.blob_id else []
        reason = _why_not(engine, item, row, decision, blob_copies) or _unclaimable(entries.get(row.id))
        if reason is not None:
            skipped[item.artifact] = reason
        elif item.action == "delete":
            wishes.append((row, decision.policy))
    for artifact in brake.foreseen(connection, engine.settings, moment, wishes):
        skipped[artifact] = "braked: too many are to be deleted at once, so a sweep asks first"
    return rows, skipped


def _why_not(
    engine: Engine, item: PlannedArtifact, row: ArtifactRow, decision: Decision, copies: Sequence[PlacementRow]
) -> str | None:
    """Return why an item is skipped, None if it is to be converged."""
    if row.revision != item.revision:
        return f"changed since: it is at revision {row.revision}, and was at {item.revision}"
    if decision.policy.label != item.policy:
        return f"the policy changed: {decision.policy.label} governs it, and {item.policy} did"
    if decision.refused and decision.blocked:
        return f"refused: {'; '.join(decision.blocked)}"
    if item.blocked:
        return f"the plan says it is refused: {item.blocked}"
    if action_of(row, decision, copies) != item.action or target_of(engine, decision) != item.target:
        due = decision.next_due
        return f"not due yet: the next step is {decision.next_step} at {when(due)}" if due else "nothing is to be done"
    return None


def _unclaimable(entry: ScheduleEntry | None) -> str | None:
    """Return why no worker will ever lease the artifact as it is, None if one can."""
    if entry is None:
        return "nothing is to be done: it has no next step"
    if entry.parked_reason is not None:
        return f"parked: {entry.parked_reason}. See `tierkeeper parked show`"
    return None


def _converge(engine: Engine, work: Job, going: Sequence[PlannedArtifact], *, caller: Caller) -> dict[UUID, Any]:
    worker = Worker(new_id(), caller.of_run(), work.run, progressed=work.progressed)
    report = converge_these(engine, worker, [item.artifact for item in going]) if going else None
    if report is None:
        work.add({})
        return {}
    work.add(report.counts, size=report.copied, errors=report.errors)
    return dict(report.outcomes)


def _applied_item(
    item: PlannedArtifact, rows: dict[UUID, ArtifactRow], skipped: dict[UUID, str], done: dict[UUID, Any], *, dry: bool
) -> AppliedItem:
    ref = rows[item.artifact].ref
    if item.artifact in skipped:
        return AppliedItem(ref, item.artifact, item.action, Outcome.NOTHING, skipped[item.artifact])
    if dry:
        return AppliedItem(ref, item.artifact, item.action, Outcome.DONE, f"would {item.action}")
    result = done.get(item.artifact)
    if result is None:
        leased = "another worker has leased it: apply the plan again"
        return AppliedItem(ref, item.artifact, item.action, Outcome.RETRY, leased)
    return AppliedItem(ref, item.artifact, item.action, result.outcome, result.detail)
