"""Apply, remove and show policies: new versions are checked against each other, and a recompute follows."""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import PolicyApplied, PolicyPayload, PolicyRemoved
from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import InvalidInput, PolicyNotFound
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import browse, events, policies, recomputing, runs
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.engine.active_policies import read
from tierkeeper.engine.context import Engine
from tierkeeper.policy import builtin, document, match
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Match, Policy
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.values.policies import PolicyChange, PolicyView


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit changed, and the run of the recompute that it makes necessary; None: it changed nothing."""

    changes: list[PolicyChange]
    recompute: UUID | None = None


def apply(catalog: Database, new: Sequence[Policy], *, caller: Caller, dry_run: bool = False) -> Edit:
    """Put these policies in force: each that differs from its active version becomes the next version of its name.

    Raises PolicyTie, TooManyPolicies, and InvalidInput for two policies of one name or the name of a built-in one;
    nothing is changed then. Existing artifacts follow by a recompute, whose run is created in the same transaction.
    """
    names = Counter(policy.name for policy in new)
    for policy in new:
        if policy.name in {builtin.DEFAULT, builtin.RECORD} and not policy.built_in:
            raise InvalidInput(
                field="policy",
                value=policy.name,
                problem="a built-in policy has this name, and follows the settings",
                fix="Give yours another name; what it matches goes before the built-in ones.",
            )
    for name, times in names.items():
        if times > 1:
            raise InvalidInput(field="policy", value=name, problem="it is there twice", fix="Give each its own name.")
    return catalog.run(caller, _apply_policies, new, caller=caller, dry_run=dry_run)


def _apply_policies(connection: sa.Connection, new: Sequence[Policy], *, caller: Caller, dry_run: bool) -> Edit:
    names = {policy.name for policy in new}
    policies.lock(connection)
    active = {row.name: row for row in policies.active(connection)}
    known = {name: read(row) for name, row in active.items()}
    rest = [policy for name, policy in known.items() if name not in names]
    match.check_numbers(known.values(), [*rest, *new])
    match.check_ties([*rest, *new])
    # after a removal the version numbers of a name continue: none is used twice
    last = policies.last_versions(connection, names - active.keys())
    changes = [_change(connection, policy, active.get(policy.name), last=last.get(policy.name, 0)) for policy in new]
    if dry_run:
        return Edit(changes)
    edited = [(p, c) for p, c in zip(new, changes, strict=True) if c.change != "unchanged"]
    _write(connection, edited, caller=caller)
    before = [known[policy.name].match for policy, _ in edited if policy.name in known]
    return _recomputed_later(connection, changes, [*before, *(policy.match for policy, _ in edited)], caller=caller)


def ensure_built_in(engine: Engine, tiers: Sequence[TierInfo]) -> Edit:
    """Bring the built-in policies into line with the settings."""
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
    return apply(engine.catalog, wanted, caller=callers.SETTINGS)


def remove(catalog: Database, name: str, *, caller: Caller) -> Edit:
    """Remove a policy; the next that matches governs its artifacts. PolicyNotFound; InvalidInput for a built-in one."""
    return catalog.run(caller, _remove_policy, name, caller=caller)


def _remove_policy(connection: sa.Connection, name: str, *, caller: Caller) -> Edit:
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
    policies.remove(connection, [name], now=now)
    matched, whole = browse.count_matching(connection, policy.match)
    change = PolicyChange(name, row.version, "removed", matched, "", at_least=not whole)
    events.append(connection, [_event(row.id, 2, PolicyRemoved(before=row.document), caller)], at=now)
    return _recomputed_later(connection, [change], [policy.match], caller=caller)


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


def _change(connection: sa.Connection, policy: Policy, row: policies.PolicyRow | None, *, last: int) -> PolicyChange:
    same = row is not None and row.document == document.to_document(policy) and row.built_in == policy.built_in
    # what a built-in policy matches is everything, and is not asked for
    matched, whole = (0, True) if policy.built_in else browse.count_matching(connection, policy.match)
    text = document.to_yaml(policy)
    if row is None:
        return PolicyChange(policy.name, last + 1, "new", matched, _diff("", text), at_least=not whole)
    if same:
        return PolicyChange(policy.name, row.version, "unchanged", matched, "", at_least=not whole)
    difference = _diff(document.to_yaml(read(row)), text)
    return PolicyChange(policy.name, row.version + 1, "changed", matched, difference, at_least=not whole)


def _diff(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "active", "new", lineterm="")
    return "\n".join(lines)


def _write(connection: sa.Connection, edited: Sequence[tuple[Policy, PolicyChange]], *, caller: Caller) -> None:
    if not edited:
        return
    now = catalog_now(connection)
    versions = [
        policies.NewVersion(
            id=new_id(),
            tenant=policy.match.tenant,
            name=policy.name,
            version=change.version,
            document=document.to_document(policy),
            built_in=policy.built_in,
            by=caller.actor,
            active_from=now,
        )
        for policy, change in edited
    ]
    policies.add(connection, versions, now=now)
    lines = [_event(version.id, 1, PolicyApplied(after=version.document), caller) for version in versions]
    events.append(connection, lines, at=now)


def _event(subject: UUID, revision: int, payload: PolicyPayload, caller: Caller) -> events.Line:
    return events.Line(subject=subject, revision=revision, payload=payload, actor=caller.actor)


def _recomputed_later(
    connection: sa.Connection, changes: list[PolicyChange], matches: Iterable[Match], *, caller: Caller
) -> Edit:
    """Create a run for recompute to resume; it is committed with the edit, so it cannot be lost.

    ``matches``: of the edited policies, as they are and as they were: no other artifact can have another governing
    policy than before.
    """
    edited = [f"{c.name} v{c.version}" for c in changes if c.change != "unchanged"]
    if not edited:
        return Edit(changes)
    arguments = recomputing.RecomputeArguments(edited, recomputing.reaches_of(matches))
    return Edit(changes, runs.begin(connection, RunKind.RECOMPUTE, actor=caller.actor, arguments=arguments))
