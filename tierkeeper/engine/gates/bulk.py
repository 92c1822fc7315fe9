"""The brake for commands: purging more of a tenant at once than policies may delete in the window needs approval.

The refused command leaves a run that awaits approval. Given again once approved, with the same selection and no more
artifacts than were counted, the command is allowed and uses up the approval. Artifacts named one by one need none.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.runs import RunBraked, StoppedCommand
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import BrakeOn
from tierkeeper.base.quantities import format_count
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import brake_counts, events, runs
from tierkeeper.catalog.database import catalog_now
from tierkeeper.engine.context import Engine
from tierkeeper.engine.gates import brake
from tierkeeper.settings.settings import Settings

#: how such a run waits: the operator gives the command again
WAITS_FOR_COMMAND = "for the command again"


def allow(engine: Engine, counts: Mapping[str, int], *, described: str, samples: Sequence[str], caller: Caller) -> None:
    """Raise BrakeOn unless one command may purge ``counts`` artifacts, by tenant; ``described``: its selection."""
    refused = engine.catalog.run(
        caller, _judge_counts, engine.settings, counts, described=described, samples=samples, caller=caller
    )
    if refused is not None:
        tenant, limit, run = refused
        raise BrakeOn(count=counts[tenant], tenant=tenant, limit=limit, run=str(run))


def foreseen(engine: Engine, counts: Mapping[str, int], *, described: str) -> dict[str, int]:
    """Return the limit of each tenant for which :func:`allow` would refuse these counts; nothing is written."""
    with engine.catalog.reading() as connection:
        return _over(connection, engine.settings, counts, described)


def _over(connection: sa.Connection, settings: Settings, counts: Mapping[str, int], described: str) -> dict[str, int]:
    over = {}
    for tenant in sorted(counts):
        limit = _limit(connection, settings, tenant)
        approved = _find(connection, tenant, described, RunState.APPROVED)
        allowed = 0 if approved is None or _expired(connection, settings, approved) else int(approved.counts["stopped"])
        if limit is not None and counts[tenant] > max(limit, allowed):
            over[tenant] = limit
    return over


def _judge_counts(
    connection: sa.Connection,
    settings: Settings,
    counts: Mapping[str, int],
    *,
    described: str,
    samples: Sequence[str],
    caller: Caller,
) -> tuple[str, int, UUID] | None:
    """Return the first tenant that is refused, its limit and the run that waits; with none, use up the approvals."""
    refused = None
    granted: list[UUID] = []
    for tenant in sorted(counts):
        limit = _limit(connection, settings, tenant)
        if limit is None or counts[tenant] <= limit:
            continue
        approved = _find(connection, tenant, described, RunState.APPROVED)
        if approved is not None and _expired(connection, settings, approved):
            runs.used(connection, approved.id)
            approved = None
        if approved is not None and counts[tenant] <= int(approved.counts["stopped"]):
            granted.append(approved.id)
            continue
        run = _waiting(connection, tenant, counts[tenant], limit, described=described, samples=samples, caller=caller)
        refused = refused or (tenant, limit, run)
    if refused is None:
        for run in granted:
            runs.used(connection, run)
    return refused


def _limit(connection: sa.Connection, settings: Settings, tenant: str) -> int | None:
    brake_counts.open_alone(connection, tenant)
    now, window = catalog_now(connection), settings.engine.brake_window
    return brake.limits_of(settings, None).limit(brake_counts.population(connection, tenant, now=now, window=window))


def _expired(connection: sa.Connection, settings: Settings, approved: runs.ApprovalRun) -> bool:
    """Return True for an approval that was not used within ``engine.brake_window``."""
    if approved.approval is None:
        return True
    since = catalog_now(connection) - datetime.fromisoformat(approved.approval["at"])
    return since > settings.engine.brake_window


def _find(connection: sa.Connection, tenant: str, described: str, state: RunState) -> runs.ApprovalRun | None:
    purges = runs.judged(connection, RunKind.PURGE, state)
    this = (WAITS_FOR_COMMAND, described)
    return next(
        (r for r in purges if r.tenant == tenant and (r.arguments.get("waits"), r.arguments.get("selection")) == this),
        None,
    )


def _waiting(
    connection: sa.Connection,
    tenant: str,
    count: int,
    limit: int,
    *,
    described: str,
    samples: Sequence[str],
    caller: Caller,
) -> UUID:
    """Return the run that awaits approval of this command, created or updated with the new count."""
    reason = (
        f"{caller.actor} is to purge {format_count(count, 'artifact')} of {tenant} ({described}); the limit is {limit}"
    )
    stopped = StoppedCommand(waits=WAITS_FOR_COMMAND, selection=described, reason=reason, limit=limit, samples=samples)
    known = _find(connection, tenant, described, RunState.AWAITING_APPROVAL)
    if known is not None:
        runs.tell(connection, known.id, counts={"stopped": count}, arguments=stopped)
        return known.id
    run = runs.await_approval(
        connection, RunKind.PURGE, actor=caller.actor, tenant=tenant, arguments=stopped, counts={"stopped": count}
    )
    line = events.Line(run, 1, RunBraked(after=stopped), caller.actor, tenant=tenant, run=run)
    events.append(connection, [line], at=catalog_now(connection))
    return run
