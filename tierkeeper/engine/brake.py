"""The brake: policies delete no more of a tenant within a day than a share of its artifacts, or a number.

The commit of a batch asks it about every deletion by policy, in its own transaction, and no path leads around that.
What counts is what policies are due to delete now and what they deleted within the window, so the first of too many
is stopped, also where they come in many small runs. Above the limit a deletion is refused: the artifact stays as it
is, its other wishes are followed, its row in the schedule leaves the claims (``braked_by``), and a run of kind
``purge`` awaits an approval. Each sweep looks again (``survey``): what came below the limit goes on by itself.

Rows that were known as due (``schedule.deletes``) are in everybody's count before and after they go, so commits that
delete only such rows need not wait for each other; one that deletes others counts alone.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base.states import ArtifactState, RunKind, RunState
from tierkeeper.catalog import brake, events, runs
from tierkeeper.catalog.brake import Scope
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.catalog.schedule import Held
from tierkeeper.engine.context import Engine
from tierkeeper.engine.policybook import Governance
from tierkeeper.policy.decide import decide
from tierkeeper.policy.decision import Action, Decision
from tierkeeper.policy.rules import Brake, Policy

_SAMPLES = 10  # names that a run gives
_BATCH = 5000  # rows of the schedule that one transaction marks
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Weight:
    """How many deletions stand against which limit; ``limit`` None: any number may go."""

    pending: int
    recent: int
    limit: int | None
    population: int

    @property
    def over(self) -> bool:
        """Whether they are too many."""
        return self.limit is not None and self.pending + self.recent > self.limit


def deletes(row: ArtifactRow, decision: Decision) -> bool:
    """Whether a decision is a deletion by policy."""
    return row.state is ArtifactState.LIVE and decision.action is Action.DELETE


def barred(engine: Engine, row: ArtifactRow, policy: Policy, run: UUID, *, now: datetime) -> Decision:
    """Decide as if no policy could delete the artifact: its copies are repaired, restored and moved all the same."""
    facts = dataclasses.replace(row.facts(now), not_before=_NEVER)
    decision = decide(facts, policy, now=now, default_undo=engine.default_undo)
    return dataclasses.replace(decision, blocked=(f"brake: run {run} awaits approval",))


def check(
    connection: sa.Connection,
    engine: Engine,
    governance: Governance,
    wishes: Sequence[tuple[ArtifactRow, Policy]],
    held: Mapping[UUID, Held],
    *,
    actor: str,
    now: datetime,
) -> dict[UUID, UUID]:
    """Return, of the deletions by policy that a commit is about to do, those that are stopped, and by which run.

    The rows of the schedule are locked. What an operator approved goes and counts nowhere.
    """
    own = {policy.name for policy in governance.policies if policy.brake is not None}
    of_scope: dict[tuple[str, str], list[tuple[ArtifactRow, Policy]]] = defaultdict(list)
    for row, policy in wishes:
        mine = held.get(row.id)
        limited = _limits(engine, policy).limit(0) is not None
        if limited and (mine is None or mine.approved_by is None):
            of_scope[row.tenant, policy.name if policy.name in own else ""].append((row, policy))
    stopped: dict[UUID, UUID] = {}
    unknown = {
        key: sum(not _known(held.get(row.id), policy, now) for row, policy in items) for key, items in of_scope.items()
    }
    for tenant in sorted({tenant for tenant, _ in of_scope}):
        brake.count_together(connection, tenant, alone=any(n for (t, _), n in unknown.items() if t == tenant))
    for key in sorted(of_scope):
        scope = Scope(*key, frozenset(own))
        limits = _limits(engine, of_scope[key][0][1])
        weight = _weigh(connection, engine, scope, limits, now=now, more=unknown[key])
        if weight.over:
            run = _opened(connection, engine, scope, limits, weight, actor=actor, now=now)
            stopped.update({row.id: run for row, _ in of_scope[key]})
    return stopped


def survey(engine: Engine, *, actor: str) -> None:
    """Look at every tenant of which policies are to delete something, and at every run that awaits an approval.

    Above the limit the tenant's rows leave the claims before the first is deleted; below it they come back.
    """

    def look(connection: sa.Connection) -> tuple[list[Scope], dict[tuple[str, str], UUID], list[UUID]]:
        now = catalog_now(connection)
        governance = engine.book.refresh(connection)
        own = frozenset(policy.name for policy in governance.policies if policy.brake is not None)
        waiting = runs.judged(connection, RunKind.PURGE, RunState.AWAITING_APPROVAL, RunState.APPROVED)
        opened = {_key(run): run.id for run in waiting if run.state is RunState.AWAITING_APPROVAL and _swept(run)}
        found = {
            (tenant, policy)
            for tenant in brake.tenants_due(connection, now=now)
            for policy in ("", *(p.name for p in governance.policies if p.brake and p.match.tenant in {None, tenant}))
        }
        approved = [run.id for run in waiting if run.state is RunState.APPROVED and _swept(run)]
        return [Scope(*key, own) for key in sorted(found | set(opened))], opened, approved

    with engine.catalog.reading() as reading:
        scopes, opened, approved = look(reading)
    for run in approved:
        _end_if_used(engine, run)
    for scope in scopes:
        _survey_scope(engine, scope, opened.get((scope.tenant, scope.policy)), actor=actor)


def _survey_scope(engine: Engine, scope: Scope, waiting: UUID | None, *, actor: str) -> None:
    def weighed(connection: sa.Connection) -> UUID | None:
        now = catalog_now(connection)
        governance = engine.book.refresh(connection)
        policy = next((p for p in governance.policies if p.name == scope.policy), None)
        limits = _limits(engine, policy)
        weight = _weigh(connection, engine, scope, limits, now=now)
        if not weight.over:
            return None
        run = _opened(connection, engine, scope, limits, weight, actor=actor, now=now)
        _tell(connection, engine, scope, run, limits, now=now)
        return run

    run = engine.catalog.run(weighed)
    if run is None:
        if waiting is not None:
            _withdraw(engine, waiting)
        return
    while engine.catalog.run(lambda c: brake.stop(c, scope, run, now=catalog_now(c), limit=_BATCH)) == _BATCH:
        pass
    engine.catalog.run(lambda c: _tell(c, engine, scope, run, None, now=catalog_now(c)))


def _known(mine: Held | None, policy: Policy, now: datetime) -> bool:
    """Whether everybody counts this deletion already."""
    return mine is not None and not mine.parked and mine.deletes == policy.name and mine.due_at <= now


def _limits(engine: Engine, policy: Policy | None) -> Brake:
    """Return the brake that a policy's deletions stand under: its own, or that of the settings."""
    if policy is not None and policy.brake is not None:
        return policy.brake
    numbers = engine.settings.engine
    return Brake(share=numbers.brake_share, count=numbers.brake_count)


def _weigh(
    connection: sa.Connection, engine: Engine, scope: Scope, limits: Brake, *, now: datetime, more: int = 0
) -> Weight:
    """Count what a scope's policies delete, no further than its limit; ``more``: deletions that no row tells of yet."""
    window = engine.settings.engine.brake_window
    if limits.limit(0) is None:
        return Weight(0, 0, None, 0)
    least = limits.count
    pending, recent = brake.weigh(connection, scope, now=now, window=window, most=least + 1)
    if pending + recent + more <= least:
        return Weight(pending + more, recent, least, 0)
    # only now, that it may decide, the tenant's artifacts are counted
    there = brake.population(connection, scope.tenant, now=now, window=window)
    limit = limits.limit(there) or 0
    pending, recent = brake.weigh(connection, scope, now=now, window=window, most=limit + 1)
    return Weight(pending + more, recent, limit, there)


def _opened(
    connection: sa.Connection,
    engine: Engine,
    scope: Scope,
    limits: Brake,
    weight: Weight,
    *,
    actor: str,
    now: datetime,
) -> UUID:
    """Return the run of a scope that awaits an approval, begun where there is none."""
    brake.open_alone(connection, scope.tenant)
    for run in runs.judged(connection, RunKind.PURGE, RunState.AWAITING_APPROVAL):
        if _swept(run) and _key(run) == (scope.tenant, scope.policy):
            return run.id
    told = {"scope": "due", "policy": scope.policy, **_told(engine, scope, limits, weight)}
    identity = runs.await_approval(
        connection, RunKind.PURGE, actor=actor, tenant=scope.tenant, arguments=told, counts={"stopped": weight.pending}
    )
    line = events.Line(
        subject=identity, revision=1, type="braked", actor=actor, tenant=scope.tenant, after=told, run=identity
    )
    events.append(connection, [line], at=now)
    return identity


def _tell(
    connection: sa.Connection, engine: Engine, scope: Scope, run: UUID, limits: Brake | None, *, now: datetime
) -> None:
    """Bring a waiting run's numbers and samples up to date."""
    found = runs.lock_judged(connection, run)
    if found is None or found.state is not RunState.AWAITING_APPROVAL:
        return
    window = engine.settings.engine.brake_window
    pending, recent = brake.weigh(connection, scope, now=now, window=window, most=None)
    told: dict[str, Any] = {"samples": brake.samples(connection, scope, now=now, limit=_SAMPLES)}
    if limits is not None:
        there = brake.population(connection, scope.tenant, now=now, window=window)
        told |= _told(engine, scope, limits, Weight(pending, recent, limits.limit(there), there))
        told["policies"] = sorted(
            p.label for p in engine.book.refresh(connection).policies if _concerns(p, scope) and p.name != "record"
        )
    counts = {"stopped": brake.count_stopped(connection, run), "deleted lately": recent}
    runs.tell(connection, run, counts=counts, arguments=told)
