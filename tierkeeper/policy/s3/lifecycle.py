"""The policies that a lifecycle configuration becomes: one for each filter.

S3 applies all rules that match an object, and where two set an end, the shorter one. Here exactly one policy governs an
artifact, the most specific. So rules with one filter are joined; where one filter lies within another, the narrower
one's policy governs, with a remark that says what S3 would do too; filters that overlap otherwise are refused. Three
more differences remain, on purpose: ages count to the second (S3 rounds up to the next midnight), a purge has the undo
window of the settings, and small objects move as well.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import yaml

from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.states import WriteStrategy
from tierkeeper.policy import patterns
from tierkeeper.policy.checks import problems
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.match import overlap
from tierkeeper.policy.nodes import Reader, line_of
from tierkeeper.policy.rules import CREATED, Match, Phase, Policy
from tierkeeper.policy.s3.remarks import Remarks
from tierkeeper.policy.s3.rules import LifecycleRule, RuleReader
from tierkeeper.policy.s3.shapes import MOST_BYTES, rule_nodes
from tierkeeper.policy.tiers import TierInfo
from tierkeeper_client.identifiers import check_segment

_STANDARD: Final = "STANDARD"


@dataclass(frozen=True, slots=True)
class ImportedLifecycle:
    """The policies, none where every rule does nothing here, and the remarks: whole sentences with their line."""

    policies: tuple[Policy, ...]
    remarks: tuple[str, ...]


def import_lifecycle(
    text: str,
    *,
    name: str,
    source: str,
    tiers: Sequence[TierInfo],
    tier_of_class: Mapping[str, str],
    tenant: str | None = None,
    workflow: str | None = None,
) -> ImportedLifecycle:
    """Return the policies that express the configuration, within ``tenant`` and ``workflow``.

    ``name`` is what their names begin with, with the rule's ID behind it. Artifacts begin in the tier of
    class STANDARD, or else in the hottest one that is no database. Raises PolicyInvalid, InvalidInput for ``name``,
    ``tenant`` and ``workflow``.
    """
    reader, remarks = Reader(source, MOST_BYTES), Remarks(source)
    if tenant is not None:
        check_segment(tenant, field="tenant")
    if workflow is not None and (wrong := patterns.problem(workflow, never=patterns.NEVER_IN_NAMES | {"/"})):
        raise InvalidInput(field="workflow", value=workflow, problem=wrong, fix="Use *, ?, [abc] and literals.")
    rules = RuleReader(reader, remarks, tier_of_class, Match(tenant=tenant, workflow=workflow))
    nodes = rule_nodes(reader, text, remarks)
    identified = [(rules.identity(node, index), node) for index, node in enumerate(nodes, start=1)]
    _refuse_doubled(reader, identified)
    read = [
        rule
        for index, (identity, node) in enumerate(identified, start=1)
        if (rule := rules.rule(node, identity or str(index), number=index)) is not None
    ]
    groups: dict[Match, list[LifecycleRule]] = {}
    for rule in read:
        groups.setdefault(rule.match, []).append(rule)
    _judge_overlaps(reader, remarks, list(groups.values()))
    entry = tier_of_class.get(_STANDARD) or _hottest(tiers)
    names = _names(name, [group[0] for group in groups.values()])
    policies = tuple(
        _policy(reader, group, named, entry, tiers) for named, group in zip(names, groups.values(), strict=True)
    )
    return ImportedLifecycle(policies, remarks.texts())


def _refuse_doubled(reader: Reader, identified: Iterable[tuple[str | None, yaml.Node]]) -> None:
    first: dict[str, yaml.Node] = {}
    for identity, node in identified:
        if identity is None:
            continue
        if identity in first:
            problem = f"rule {identity!r}: line {line_of(first[identity])} has a rule with this ID already."
            reader.fail(node, problem, "Give each rule an ID of its own; S3 takes no doubled one either.")
        first[identity] = node


def _judge_overlaps(reader: Reader, remarks: Remarks, groups: Sequence[list[LifecycleRule]]) -> None:
    """Refuse filters that overlap and do not lie within each other; remark what S3 would do within a narrower one."""
    for group, other in _near(groups):
        if not overlap(group[0].match, other[0].match):
            continue
        if _within(other[0], group[0]):
            _remark_wider(remarks, narrow=other, wide=group)
        elif _within(group[0], other[0]):
            _remark_wider(remarks, narrow=group, wide=other)
        else:
            problem = f"rule {other[0].id!r}, Filter: it overlaps with that of rule {group[0].id!r}."
            reader.fail(other[0].node, problem, "Give them filters that exclude each other, or the same filter.")


def _near(groups: Sequence[list[LifecycleRule]]) -> Iterator[tuple[list[LifecycleRule], list[LifecycleRule]]]:
    """Yield the pairs of which one's prefix begins with the other's, by their order: no others can overlap."""
    by_prefix: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        by_prefix.setdefault(group[0].prefix, []).append(index)
    lengths = {len(prefix) for prefix in by_prefix}
    pairs = {
        (min(index, other), max(index, other))
        for index, group in enumerate(groups)
        for length in lengths
        if length <= len(group[0].prefix)
        for other in by_prefix.get(group[0].prefix[:length], ())
        if other != index
    }
    for first, second in sorted(pairs):
        yield groups[first], groups[second]


def _within(narrow: LifecycleRule, wide: LifecycleRule) -> bool:
    """Return True if whatever ``narrow`` matches is matched by ``wide``."""
    inner, outer = narrow.match, wide.match
    least = outer.size_min is None or (inner.size_min is not None and inner.size_min >= outer.size_min)
    most = outer.size_max is None or (inner.size_max is not None and inner.size_max <= outer.size_max)
    return narrow.prefix.startswith(wide.prefix) and set(outer.tags) <= set(inner.tags) and least and most


def _remark_wider(remarks: Remarks, *, narrow: Sequence[LifecycleRule], wide: Sequence[LifecycleRule]) -> None:
    """Note what S3 would do by the wider rules too with what the narrower ones govern."""
    own = _end(narrow)
    moves = {move for rule in narrow for move in rule.moves}
    wider = [move for rule in wide for move in rule.moves if move not in moves]
    others = [f"move it to {tier} after {days}d" for days, tier in wider]
    end = _end(wide)
    if end is not None and (own is None or end < own):
        others.append(f"delete it after {end}d")
    if others:
        inner, outer = narrow[0], wide[0]
        remarks.add(
            inner.node,
            f"rule {inner.id!r} lies within rule {outer.id!r}, and governs alone what it matches. S3 would also"
            f" {' and '.join(others)}; repeat that in rule {inner.id!r} where it is wanted.",
        )


def _end(group: Sequence[LifecycleRule]) -> int | None:
    return min((rule.purge for rule in group if rule.purge is not None), default=None)


def _policy(reader: Reader, group: Sequence[LifecycleRule], name: str, entry: str, tiers: Sequence[TierInfo]) -> Policy:
    where: dict[int, str] = {}
    purges = {rule.purge for rule in group if rule.purge is not None}
    for rule in group:
        for days, tier in rule.moves:
            if where.setdefault(days, tier) != tier:
                _fail(reader, rule, f"two tiers at {days} days, {where[days]} and {tier}.", "Keep one of them.")
        if rule.purge is not None and len(purges) > 1:
            _fail(reader, rule, f"more than one Expiration for one filter: {sorted(purges)} days.", "Keep one of them.")
    where.setdefault(0, entry)
    phases = [Phase(Duration(days=days), frozenset((tier,))) for days, tier in sorted(where.items())]
    phases.extend(Phase(Duration(days=days), frozenset()) for days in purges)
    policy = Policy(name, 0, group[0].match, CREATED, WriteStrategy.HOTTEST, tuple(phases))
    for problem in problems(policy, tiers):
        _fail(reader, group[0], problem.problem, problem.fix)
    return policy


def _fail(reader: Reader, rule: LifecycleRule, problem: str, fix: str) -> NoReturn:
    reader.fail(rule.node, f"rule {rule.id!r}: {problem}", fix)


def _hottest(tiers: Sequence[TierInfo]) -> str:
    usable = [tier for tier in tiers if not tier.is_database] or list(tiers)
    return min(usable, key=lambda tier: tier.rank).name


def _names(name: str, rules: Sequence[LifecycleRule]) -> list[str]:
    """Return a name of its own for the policy of each of these rules: with its ID, else with its number in the file.

    A rule's policy has the same name whatever other rules there are, so that the next import knows it again.
    """
    check_segment(name, field="name")
    names: dict[str, None] = {}
    for rule in rules:
        numbered = f"{name}-{rule.number}"
        wanted = (f"{name}-{rule.id}", numbered, *(f"{numbered}-{n}" for n in range(2, len(rules) + 2)))
        free = next((each for each in wanted if each not in names and _is_segment(each)), None)
        names[free or check_segment(numbered, field="name")] = None
    return list(names)


def _is_segment(name: str) -> bool:
    try:
        check_segment(name, field="name")
    except InvalidInput:
        return False
    return True
