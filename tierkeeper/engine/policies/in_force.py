"""Apply, remove and show policies: new versions are checked against each other, and a recompute follows."""

import difflib
from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import PolicyApplied, PolicyPayload, PolicyRemoved
from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import InvalidInput, PolicyNotFound
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import browse, events, policies, runs
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.engine.active_policies import read
from tierkeeper.engine.context import Engine
from tierkeeper.policy import builtin, document, match
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Policy
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.values.policies import PolicyChange, PolicyView


def apply(catalog: Database, new: Sequence[Policy], *, caller: Caller, dry_run: bool = False) -> list[PolicyChange]:
    """Put these policies in force: each that differs from its active version becomes the next version of its name.

    Raises PolicyTie, and InvalidInput for two policies of one name or the name of a built-in one; nothing is changed
    then. Existing artifacts follow by a recompute, whose run is created in the same transaction.
    """
    names = [policy.name for policy in new]
    for policy in new:
        if policy.name in {builtin.DEFAULT, builtin.RECORD} and not policy.built_in:
            raise InvalidInput(
                field="policy",
                value=policy.name,
                problem="a built-in policy has this name, and follows the settings",
                fix="Give yours another name; what it matches goes before the built-in ones.",
            )
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(field="policy", value=name, problem="it is there twice", fix="Give each its own name.")
    return catalog.run(caller, _apply_policies, new, caller=caller, dry_run=dry_run)


def _apply_policies(
    connection: sa.Connection, new: Sequence[Policy], *, caller: Caller, dry_run: bool
) -> list[PolicyChange]:
    names = {policy.name for policy in new}
    policies.lock(connection)
    active = {row.name: row for row in policies.active(connection)}
    rest = [read(row) for row in active.values() if row.name not in names]
    match.check_ties([*rest, *new])
    changes = [_change(connection, policy, active.get(policy.name)) for policy in new]
    if not dry_run:
        for policy, change in zip(new, changes, strict=True):
            if change.change != "unchanged":
                _write(connection, policy, change, caller=caller)
        _recompute_later(connection, changes, caller=caller)
    return changes


def ensure_built_in(engine: Engine, tiers: Sequence[TierInfo]) -> list[PolicyChange]:
    """Bring the built-in policies into line with the settings; return those that changed."""
    settings = engine.settings
    undo = Duration.of(settings.engine.undo)
    numbers = settings.retention
    wanted = [
        builtin.default_policy(
            tiers,
            hot_days=numbers.hot_days,
            warm_days=numbers.warm_days,
            cold_days=numbers.cold_days,
            undo=undo,
        ),
        builtin.record_policy(tiers, hot_days=numbers.record_hot_days, retention_years=numbers.record_years, undo=undo),
    ]
    return [c for c in apply(engine.catalog, wanted, caller=callers.SETTINGS) if c.change != "unchanged"]


def remove(catalog: Database, name: str, *, caller: Caller) -> PolicyChange:
    """Remove a policy; the next that matches governs its artifacts. PolicyNotFound; InvalidInput for a built-in one."""
    return catalog.run(caller, _remove_policy, name, caller=caller)


def _remove_policy(connection: sa.Connection, name: str, *, caller: Caller) -> PolicyChange:
    policies.lock(connection)
    row = next((r for r in policies.active(connection) if r.name == name), None)
    if row is None:
        raise PolicyNotFound(name=name)
    if row.built_in:
        raise InvalidInput(
            field="policy",
            value=name,
            problem="it is built in",
            fix="Apply a policy of your own that is more specific, or change its settings.",
        )
    now = catalog_now(connection)
    policy = read(row)
    policies.remove(connection, name=name, now=now)
    change = PolicyChange(name, row.version, "removed", browse.count_matching(connection, policy.match), "")
    events.append(connection, [_event(row.id, 2, PolicyRemoved(before=row.document), caller)], at=now)
    _recompute_later(connection, [change], caller=caller)
    return change


def views(catalog: Database, *, name: str | None = None, all_versions: bool = False) -> list[PolicyView]:
    """Return the active policies, or every version of all or of ``name``; PolicyNotFound for an unknown name."""
    with catalog.reading() as connection:
        if name is not None:
            rows = policies.of_name(connection, name)
        else:
            rows = policies.every(connection) if all_versions else policies.active(connection)
    if name is not None and not rows:
        raise PolicyNotFound(name=name)
    return [
        PolicyView(
            name=row.name,
            version=row.version,
            active_from=row.active_from,
            removed_at=row.removed_at,
            built_in=row.built_in,
            document=row.document,
            yaml=document.to_yaml(read(row)),
        )
        for row in rows
    ]


def tier_of_class(engine: Engine) -> Mapping[str, str]:
    """Return the tier of each S3 storage class: the hottest whose URL carries that class."""
    classes: dict[str, str] = {}
    for tier in engine.tiers:
        name = engine.store(tier.name).storage_class
        if name is not None:
            classes.setdefault(name, tier.name)
    return classes


def _change(connection: sa.Connection, policy: Policy, row: policies.PolicyRow | None) -> PolicyChange:
    matched = browse.count_matching(connection, policy.match)
    text = document.to_yaml(policy)
    if row is None:
        # after a removal the version numbers of a name continue: none is used twice
        last = max((r.version for r in policies.of_name(connection, policy.name)), default=0)
        return PolicyChange(policy.name, last + 1, "new", matched, _diff("", text))
    if row.document == document.to_document(policy) and row.built_in == policy.built_in:
        return PolicyChange(policy.name, row.version, "unchanged", matched, "")
    return PolicyChange(policy.name, row.version + 1, "changed", matched, _diff(document.to_yaml(read(row)), text))


def _diff(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "active", "new", lineterm="")
    return "\n".join(lines)


def _write(connection: sa.Connection, policy: Policy, change: PolicyChange, *, caller: Caller) -> None:
    now = catalog_now(connection)
    text = document.to_document(policy)
    identity = policies.add(
        connection,
        name=policy.name,
        version=change.version,
        tenant=policy.match.tenant,
        document=text,
        built_in=policy.built_in,
        by=caller.actor,
        now=now,
    )
    events.append(connection, [_event(identity, 1, PolicyApplied(after=text), caller)], at=now)


def _event(subject: UUID, revision: int, payload: PolicyPayload, caller: Caller) -> events.Line:
    return events.Line(subject=subject, revision=revision, payload=payload, actor=caller.actor)


def _recompute_later(connection: sa.Connection, changes: Sequence[PolicyChange], *, caller: Caller) -> None:
    """Create a run for recompute to resume; it is committed with the edit, so it cannot be lost."""
    edited = [f"{c.name} v{c.version}" for c in changes if c.change != "unchanged"]
    if edited:
        arguments = runs.RecomputeArguments(edited, after=UUID(int=0))
        runs.begin(connection, RunKind.RECOMPUTE, actor=caller.actor, arguments=arguments)
