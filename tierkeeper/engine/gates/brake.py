"""The brake: within a window, policies delete at most a share of a tenant's artifacts, or a number if that is larger.

The commit of a batch checks every deletion by policy against it, in its own transaction; no path bypasses that check.
The count is what policies are due to delete now plus what they deleted within ``engine.brake_window``, so the first of
too many deletions is stopped, even where they come in many small runs. Above the limit a deletion is refused: the
artifact stays as it is, its other wishes are followed, its row in the schedule leaves the claims (``braked_by``), and a
run of kind ``purge`` awaits approval. Each sweep counts again (``survey.py``): deletions back below the limit resume by
themselves.

Rows that are known as due (``schedule.deletes``) are in every commit's count before and after their deletion, so
commits that delete only such rows need not wait for each other; a commit that deletes others counts alone.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.runs import RunBraked, StoppedPolicies
from tierkeeper.base.callers import Caller
from tierkeeper.base.quantities import format_count, format_duration
from tierkeeper.base.states import ArtifactState, RunKind, RunState
from tierkeeper.catalog import brake_counts, events, runs, schedule
from tierkeeper.catalog.brake_counts import Scope
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.catalog.runs import ApprovalRun
from tierkeeper.catalog.schedule import LockedEntry
from tierkeeper.engine.moment import Moment
from tierkeeper.policy.decision import Action, Decision
from tierkeeper.policy.rules import Brake, Policy
from tierkeeper.settings.settings import Settings

_SAMPLES = 10  # artifact names listed in a run
#: how a run of kind ``purge`` waits: its artifacts are in the schedule, with the run in ``braked_by``
WAITS_IN_SCHEDULE = "in the schedule"
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Weight:
    """The deletions of a scope, due (``pending``) and done within the window (``recent``); ``limit`` None: no limit."""

    pending: int
    recent: int
    limit: int | None

    @property
    def over(self) -> bool:
        """Whether pending and recent deletions together exceed the limit."""
        return self.limit is not None and self.pending + self.recent > self.limit


def deletes(row: ArtifactRow, decision: Decision) -> bool:
    """Return True if the decision is a deletion by policy."""
    return row.state is ArtifactState.LIVE and decision.action is Action.DELETE


def barred(moment: Moment, row: ArtifactRow, *, run: UUID | None = None) -> Decision:
    """Decide as if no policy could delete the artifact: its copies are still repaired, restored and moved."""
    decision = moment.decide(dataclasses.replace(row, not_before=_NEVER))
    return dataclasses.replace(decision, blocked=(f"brake: run {run} awaits approval",))


def check(
    connection: sa.Connection,
    settings: Settings,
    moment: Moment,
    wishes: Sequence[tuple[ArtifactRow, Policy]],
    held: Mapping[UUID, LockedEntry],
    *,
    caller: Caller,
) -> dict[UUID, UUID]:
    """Return the stopped ones of a commit's deletions by policy: each artifact's id, with the id of the waiting run.

    The caller holds the locks of the schedule rows (``held``). Deletions that an operator approved pass uncounted.
    """
    stopped: dict[UUID, UUID] = {}
    for excess in _over(connection, settings, moment, wishes, held, alone=True):
        run = opened(connection, settings, moment, excess.scope, excess.weight, caller=caller)
        stopped.update(dict.fromkeys(excess.artifacts, run))
    return stopped


def foreseen(
    connection: sa.Connection, settings: Settings, moment: Moment, wishes: Sequence[tuple[ArtifactRow, Policy]]
) -> set[UUID]:
    """Return the artifacts whose deletion by policy a commit would stop now; only reads."""
    if not wishes:
        return set()
    held = schedule.peek(connection, [row.id for row, _ in wishes])
    over = _over(connection, settings, moment, wishes, held, alone=False)
    return {artifact for excess in over for artifact in excess.artifacts}


@dataclass(frozen=True, slots=True)
class _Over:
    """One scope that is over its limit, and the artifacts whose deletion is refused."""

    scope: Scope
    weight: Weight
    artifacts: Sequence[UUID]


def _over(
    connection: sa.Connection,
    settings: Settings,
    moment: Moment,
    wishes: Sequence[tuple[ArtifactRow, Policy]],
    held: Mapping[UUID, LockedEntry],
    *,
    alone: bool,
) -> list[_Over]:
    """Return the scopes over their limit; ``alone``: count under the tenants' locks."""
    own = own_brakes(moment.policies)
    of_scope: dict[tuple[str, str], list[tuple[ArtifactRow, Policy]]] = defaultdict(list)
    unknown: Counter[tuple[str, str]] = Counter()
    for row, policy in wishes:
        scheduled = held.get(row.id)
        if limits_of(settings, policy).limit(0) is None or (
            scheduled is not None and scheduled.approved_by is not None
        ):
            continue
        key = row.tenant, policy.name if policy.name in own else ""
        of_scope[key].append((row, policy))
        unknown[key] += not _known(scheduled, policy, moment.now)
    if alone:
        for tenant in sorted({tenant for tenant, _ in of_scope}):
            news = any(number for (of, _), number in unknown.items() if of == tenant)
            brake_counts.count_together(connection, tenant, alone=news)
    over = []
    for key in sorted(of_scope):
        scope, limits = Scope(*key, own), limits_of(settings, of_scope[key][0][1])
        weight = weigh(connection, settings, scope, limits, now=moment.now, more=unknown[key])
        if weight.over:
            over.append(_Over(scope, weight, [row.id for row, _ in of_scope[key]]))
    return over


def own_brakes(policies: Iterable[Policy]) -> frozenset[str]:
    """Return the names of the policies that have a brake of their own."""
    return frozenset(policy.name for policy in policies if policy.brake is not None)


def limits_of(settings: Settings, policy: Policy | None) -> Brake:
    """Return the brake that applies to a policy's deletions: its own, or that of the settings."""
    if policy is not None and policy.brake is not None:
        return policy.brake
    numbers = settings.engine
    return Brake(share=numbers.brake_share, count=numbers.brake_count)


def weigh(
    connection: sa.Connection, settings: Settings, scope: Scope, limits: Brake, *, now: datetime, more: int = 0
) -> Weight:
    """Count what a scope's policies delete, up to its limit; ``more``: deletions without a row in the schedule yet."""
    window = settings.engine.brake_window
    if limits.limit(0) is None:
        return Weight(0, 0, None)
    pending, recent = brake_counts.weigh(connection, scope, now=now, window=window, most=limits.count + 1)
    if pending + recent + more <= limits.count:
        return Weight(pending + more, recent, limits.count)
    # above the number, the share decides: only then are the tenant's artifacts counted
    limit = limits.limit(brake_counts.population(connection, scope.tenant, now=now, window=window)) or 0
    pending, recent = brake_counts.weigh(connection, scope, now=now, window=window, most=limit + 1)
    return Weight(pending + more, recent, limit)


def opened(
    connection: sa.Connection, settings: Settings, moment: Moment, scope: Scope, weight: Weight, *, caller: Caller
) -> UUID:
    """Return the run of a scope that awaits approval, created with its event where there is none."""
    brake_counts.open_alone(connection, scope.tenant)
    for run in waiting(connection):
        if scope_of(run) == (scope.tenant, scope.policy):
            return run.id
    stopped = described(connection, settings, moment, scope, weight)
    identity = runs.await_approval(
        connection,
        RunKind.PURGE,
        actor=caller.actor,
        tenant=scope.tenant,
        arguments=stopped,
        counts={"stopped": stopped.pending},
    )
    line = events.Line(identity, 1, RunBraked(after=stopped), caller.actor, tenant=scope.tenant, run=identity)
    events.append(connection, [line], at=moment.now)
    return identity


def described(
    connection: sa.Connection, settings: Settings, moment: Moment, scope: Scope, weight: Weight
) -> StoppedPolicies:
    """Return the payload of a run: the number of deletions, the limit, the policies, and some artifact names."""
    window = settings.engine.brake_window
    of = brake_counts.by_policy(connection, scope, now=moment.now)
    pending = max(weight.pending, sum(of.values()))
    versions = {policy.name: policy.label for policy in moment.policies}
    reason = (
        f"policies are to delete {format_count(pending, 'artifact')} of {scope.tenant} now and deleted {weight.recent}"
        f" in the last {format_duration(window)}; the limit is {weight.limit}"
    )
    return StoppedPolicies(
        waits=WAITS_IN_SCHEDULE,
        policy=scope.policy,
        reason=reason,
        pending=pending,
        recent=weight.recent,
        limit=weight.limit,
        policies={versions.get(name, name): count for name, count in of.items()},
        samples=brake_counts.samples(connection, scope, now=moment.now, limit=_SAMPLES),
    )


def waiting(connection: sa.Connection) -> list[ApprovalRun]:
    """Return the runs that await approval of deletions by policies."""
    purges = runs.judged(connection, RunKind.PURGE, RunState.AWAITING_APPROVAL)
    return [run for run in purges if run.arguments.get("waits") == WAITS_IN_SCHEDULE]


def scope_of(run: ApprovalRun) -> tuple[str, str]:
    """Return the tenant and the policy (empty: all without a brake of their own) that a run is about."""
    return run.tenant or "", str(run.arguments["policy"])


def _known(held: LockedEntry | None, policy: Policy, now: datetime) -> bool:
    """Return True if every commit counts this deletion already, by its row in the schedule."""
    return held is not None and not held.parked and held.deletes == policy.name and held.due_at <= now
