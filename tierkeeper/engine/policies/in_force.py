"""Apply, remove and show policies: new versions are checked against each other, and a recompute follows."""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import PolicyApplied, PolicyPayload, PolicyRemoved
from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import InvalidInput, PoliciesLeftOver, PolicyNotFound
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import browse, events, policies, recomputing, runs
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.engine.active_policies import read
from tierkeeper.engine.context import Engine
from tierkeeper.engine.policies import imports
from tierkeeper.policy import builtin, document, match
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Match, Policy
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.settings import Settings
from tierkeeper.values.policies import PolicyChange, PolicyView


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit changed, and the run of the recompute that it makes necessary; None: it changed nothing."""

    changes: list[PolicyChange]
    recompute: UUID | None = None


def apply(
    catalog: Database, new: Sequence[Policy], *, caller: Caller, dry_run: bool = False, of: imports.Import | None = None
) -> Edit:
    """Put these policies in force: each that differs from its active version becomes the next version of its name.

    ``of``: the import that they come from. Raises PolicyTie, TooManyPolicies, PoliciesLeftOver, and InvalidInput for
    two policies of one name, or the name of a built-in one or of another import's; nothing is changed then. Existing
    artifacts follow by a recompute, whose run is created in the same transaction.
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
    return catalog.run(caller, _apply_policies, new, caller=caller, dry_run=dry_run, of=of)


def _apply_policies(
    connection: sa.Connection, new: Sequence[Policy], *, caller: Caller, dry_run: bool, of: imports.Import | None
) -> Edit:
    names = {policy.name for policy in new}
    policies.lock(connection)
    active = {row.name: row for row in policies.active(connection)}
    missing = imports.missing(active, names, of) if of is not None else []
    if missing and of is not None and not (dry_run or of.remove_missing):
        left = ", ".join(row.name for row in missing)
        raise PoliciesLeftOver(name=of.name, source=of.source, policies=left)
    known = {name: read(row) for name, row in active.items()}
    replaced = [active[name] for name in imports.renamed(active, known, new, of)] if of is not None else []
    gone = names.union(row.name for row in (*missing, *replaced))
    rest = [policy for name, policy in known.items() if name not in gone]
    match.check_numbers(known.values(), [*rest, *new])
    match.check_ties([*rest, *new])
    # after a removal the version numbers of a name continue: none is used twice
    last = policies.last_versions(connection, names - active.keys())
    changes = [_change(connection, policy, active.get(policy.name), last=last.get(policy.name, 0)) for policy in new]
    removed = [_removal(connection, row) for row in missing]
    removed += [replace(_removal(connection, row), change="replaced") for row in replaced]
    if dry_run:
        return Edit([*changes, *removed])
    edited = [(p, c) for p, c in zip(new, changes, strict=True) if c.change != "unchanged"]
    _write(connection, edited, {row.name: row.imported_as for row in active.values()}, caller=caller)
    _end(connection, [*missing, *replaced], caller=caller)
    if of is not None:
        policies.mark_imported(connection, names, imported_as=of.name)
    before = [known[name].match for name in (*(p.name for p, _ in edited), *(c.name for c in removed)) if name in known]
    matches = [*before, *(policy.match for policy, _ in edited)]
    return _recomputed_later(connection, [*changes, *removed], matches, caller=caller)


def ensure_built_in(engine: Engine) -> Edit:
    """Bring the built-in policies into line with the settings.

    Only where one of them is to change are the tiers asked that it locks; then raises what their stores raise, and
    InvalidInput for one that cannot lock.
    """
    assumed = _built_in(engine.settings, [replace(tier, can_lock=True) for tier in engine.tiers])
    with engine.catalog.reading() as connection:
        active = {row.name: row for row in policies.active(connection)}
    if all(_is_as(active.get(policy.name), policy) for policy in assumed):
        return Edit([])
    return apply(engine.catalog, _built_in(engine.settings, engine.tiers), caller=callers.SETTINGS)


def _built_in(settings: Settings, tiers: Sequence[TierInfo]) -> list[Policy]:
    undo = Duration.of(settings.engine.undo)
    numbers = settings.retention
    return [
        builtin.default_policy(
            tiers,
            hot_days=numbers.hot_days,
            warm_days=numbers.warm_days,
            cold_days=numbers.cold_days,
            undo=undo,
        ),
        builtin.record_policy(tiers, hot_days=numbers.record_hot_days, retention_years=numbers.record_years, undo=undo),
    ]


def _is_as(row: policies.PolicyRow | None, policy: Policy) -> bool:
    return row is not None and row.document == document.to_document(policy) and row.built_in == policy.built_in


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
    change = _removal(connection, row)
    _end(connection, [row], caller=caller)
    return _recomputed_later(connection, [change], [read(row).match], caller=caller)


def _removal(connection: sa.Connection, row: policies.PolicyRow) -> PolicyChange:
    matched, whole = browse.count_matching(connection, read(row).match)
    return PolicyChange(row.name, row.version, "removed", matched, "", at_least=not whole)


def _end(connection: sa.Connection, rows: Sequence[policies.PolicyRow], *, caller: Caller) -> None:
    if not rows:
        return
    now = catalog_now(connection)
    policies.remove(connection, [row.name for row in rows], now=now)
    events.append(connection, [_event(row.id, 2, PolicyRemoved(before=row.document), caller) for row in rows], at=now)


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
            imported_as=row.imported_as,
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
    # what a built-in policy matches is everything, and is not asked for
    matched, whole = (0, True) if policy.built_in else browse.count_matching(connection, policy.match)
    text = document.to_yaml(policy)
    if row is None:
        return PolicyChange(policy.name, last + 1, "new", matched, _diff("", text), at_least=not whole)
    if _is_as(row, policy):
        return PolicyChange(policy.name, row.version, "unchanged", matched, "", at_least=not whole)
    difference = _diff(document.to_yaml(read(row)), text)
    return PolicyChange(policy.name, row.version + 1, "changed", matched, difference, at_least=not whole)


def _diff(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "active", "new", lineterm="")
    return "\n".join(lines)


def _write(
    connection: sa.Connection,
    edited: Sequence[tuple[Policy, PolicyChange]],
    imported_as: Mapping[str, str | None],
    *,
    caller: Caller,
) -> None:
    """Write the new versions; ``imported_as``: the import of a former version by name, which an edit by hand keeps."""
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
            imported_as=imported_as.get(policy.name),
        )
        for policy, change in edited
    ]
    policies.add(connection, versions, now=now)
    lines = [_event(version.id, 1, PolicyApplied(after=version.document), caller) for version in versions]
    events.append(connection, lines, at=now)


def _event(subject: UUID, revision: int, payload: PolicyPayload, caller: Caller) -> "events.Line":
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
