"""S3 lifecycle configurations as policies: the JSON that ``aws s3api put-bucket-lifecycle-configuration`` takes.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html defines the elements. An element that no policy
can express is an error that names the rule and the element; nothing is dropped silently. Three differences remain, on
purpose: ages count to the second (S3 rounds up to the next midnight), a purge has the undo window of the settings, and
small objects move as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import yaml

from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.states import WriteStrategy
from tierkeeper.policy import patterns
from tierkeeper.policy.checks import problems
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.match import overlap
from tierkeeper.policy.nodes import Reader
from tierkeeper.policy.rules import CREATED, Match, Phase, Policy
from tierkeeper.policy.tiers import TierInfo
from tierkeeper_client.identifiers import check_segment

_STANDARD = "STANDARD"
_RULE = ("ID", "Status", "Filter", "Prefix", "Transitions", "Expiration")
_NOT_EXPRESSIBLE = {
    "NoncurrentVersionExpiration": "Write `versions: {keep: N}` in the policy instead: it counts versions, not days.",
    "NoncurrentVersionTransitions": "Remove it: all versions of an artifact follow the same phases.",
    "NoncurrentVersionTransition": "Remove it: all versions of an artifact follow the same phases.",
    "AbortIncompleteMultipartUpload": "Remove it: abandoned uploads are collected without a rule.",
}
_NO_DATES = "Write Days: phases begin at an age, not on a day."
_CONDITIONS = ("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan")


@dataclass(frozen=True, slots=True)
class _Rule:
    id: str
    node: yaml.Node
    match: Match
    moves: tuple[tuple[int, str], ...]  # days, tier
    purge: int | None  # days


def import_lifecycle(
    text: str,
    *,
    name: str,
    source: str,
    tiers: Sequence[TierInfo],
    tier_of_class: Mapping[str, str],
    tenant: str | None = None,
    workflow: str | None = None,
) -> list[Policy]:
    """Return the policies that express the configuration: one for each filter, within ``tenant`` and ``workflow``.

    ``name`` is the policy's name, with the rule's ID behind it if there are several. Rules with the same filter are
    joined, rules whose filters overlap are refused, because exactly one policy governs an artifact. Artifacts begin in
    the tier of class STANDARD, or else in the hottest one that is no database. Raises PolicyInvalid, InvalidInput for
    ``name``, ``tenant`` and ``workflow``.
    """
    reader = Reader(source)
    if tenant is not None:
        check_segment(tenant, field="tenant")
    if workflow is not None and (wrong := patterns.problem(workflow, never=patterns.NEVER_IN_NAMES | {"/"})):
        raise InvalidInput(field="workflow", value=workflow, problem=wrong, fix="Use *, ?, [abc] and literals.")
    imported = _Import(reader, tier_of_class, Match(tenant=tenant, workflow=workflow))
    rules = [imported.rule(node, index) for index, node in enumerate(_rule_nodes(reader, text), start=1)]
    groups: dict[Match, list[_Rule]] = {}
    for rule in rules:
        for match, group in groups.items():
            if match != rule.match and overlap(match, rule.match):
                problem = f"rule {rule.id!r}, Filter: it overlaps with that of rule {group[0].id!r}."
                reader.fail(rule.node, problem, "Give them filters that exclude each other, or the same filter.")
        groups.setdefault(rule.match, []).append(rule)
    entry = tier_of_class.get(_STANDARD) or _hottest(tiers)
    return [
        _policy(reader, group, _named(name, group[0], index, alone=len(groups) == 1), entry, tiers)
        for index, group in enumerate(groups.values(), start=1)
    ]


def _rule_nodes(reader: Reader, text: str) -> list[yaml.Node]:
    documents = reader.documents(text)
    root = documents[0]
    if len(documents) > 1:
        reader.fail(documents[1], "there is more than one configuration.", "Import them one by one.")
    fields = reader.pairs(root, what="the configuration")
    for key, (node, _) in fields.items():
        if key == "TransitionDefaultMinimumObjectSize":
            fix = "Remove it, or give the rules a Filter with ObjectSizeGreaterThan."
            reader.fail(node, f"{key} cannot be said by a policy: objects of every size move.", fix)
    rules = reader.fields(root, what="the configuration", known=("Rules",), needed=("Rules",))["Rules"]
    nodes = reader.items(rules, what="Rules")
    if not nodes:
        reader.fail(rules, "there is no rule.", "Import a configuration with at least one.")
    return nodes


@dataclass(frozen=True, slots=True)
class _Import:
    reader: Reader
    tier_of_class: Mapping[str, str]
    within: Match

    def rule(self, node: yaml.Node, index: int) -> _Rule:
        reader = self.reader
        pairs = reader.pairs(node, what=f"rule {index}")
        identity = reader.text(pairs["ID"][1], what="ID") if "ID" in pairs else str(index)
        what = f"rule {identity!r}"
        for key, fix in _NOT_EXPRESSIBLE.items():
            if key in pairs:
                reader.fail(pairs[key][0], f"{what}, {key}: a policy cannot say this.", fix)
        fields = reader.fields(node, what=what, known=_RULE, needed=("Status",))
        if reader.text(fields["Status"], what="Status") != "Enabled":
            reader.fail(
                fields["Status"], f"{what}, Status: only Enabled rules can be imported.", "Remove or enable it."
            )
        if "Filter" in fields and "Prefix" in fields:
            reader.fail(fields["Prefix"], f"{what}, Prefix: there is a Filter too.", "Put the prefix into the Filter.")
        match = self.within
        if "Filter" in fields:
            match = self._filter(fields["Filter"], what)
        elif "Prefix" in fields:
            match = replace(match, name=self._prefix(fields["Prefix"], what))
        moves = self._transitions(fields, what)
        purge = self._expiration(fields["Expiration"], what) if "Expiration" in fields else None
        if not moves and purge is None:
            reader.fail(node, f"{what} does nothing.", "Give it Transitions or an Expiration.")
        return _Rule(identity, node, match, moves, purge)

    def _filter(self, node: yaml.Node, what: str) -> Match:
        reader = self.reader
        fields = reader.fields(node, what=f"{what}, Filter", known=(*_CONDITIONS, "And"))
        if len(fields) > 1:
            reader.fail(node, f"{what}, Filter: it has more than one condition.", "Put them into And.")
        tags: list[yaml.Node] = [fields["Tag"]] if "Tag" in fields else []
        if "And" in fields:
            known = ("Prefix", "Tags", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
            fields = reader.fields(fields["And"], what=f"{what}, And", known=known)
            tags = reader.items(fields["Tags"], what="Tags") if "Tags" in fields else []
        match = replace(self.within, tags=tuple(sorted(self._tag(tag, what) for tag in tags)))
        if "Prefix" in fields:
            match = replace(match, name=self._prefix(fields["Prefix"], what))
        if "ObjectSizeGreaterThan" in fields:
            least = reader.size(fields["ObjectSizeGreaterThan"], what=f"{what}, ObjectSizeGreaterThan")
            match = replace(match, size_min=least + 1)
        if "ObjectSizeLessThan" in fields:
            most = reader.size(fields["ObjectSizeLessThan"], what=f"{what}, ObjectSizeLessThan", least=1)
            match = replace(match, size_max=most - 1)
        return match

    def _prefix(self, node: yaml.Node, what: str) -> str | None:
        prefix = self.reader.text(node, what="Prefix")
        pattern = patterns.escaped(prefix) + "*"
        problem = patterns.problem(pattern, never=patterns.NEVER_IN_NAMES)
        if problem is None and prefix.startswith("/"):
            problem = "names are relative, none begins with '/'"
        if problem is not None:
            self.reader.fail(node, f"{what}, Prefix {prefix!r}: {problem}.", "Correct it, or remove the rule.")
        return pattern if prefix else None

    def _tag(self, node: yaml.Node, what: str) -> tuple[str, str]:
        fields = self.reader.fields(node, what=f"{what}, Tag", known=("Key", "Value"), needed=("Key", "Value"))
        return self.reader.text(fields["Key"], what="Key"), self.reader.text(fields["Value"], what="Value")

    def _transitions(self, rule_fields: Mapping[str, yaml.Node], what: str) -> tuple[tuple[int, str], ...]:
        reader = self.reader
        nodes = reader.items(rule_fields["Transitions"], what="Transitions") if "Transitions" in rule_fields else []
        moves = []
        for node in nodes:
            elements = ("Days", "Date", "StorageClass")
            fields = reader.fields(node, what=f"{what}, Transition", known=elements, needed=("StorageClass",))
            storage_class = reader.text(fields["StorageClass"], what="StorageClass")
            tier = self.tier_of_class.get(storage_class)
            if tier is None:
                problem = f"{what}, Transition: no tier has the storage class {storage_class}."
                known = ", ".join(self.tier_of_class) or "none"
                fix = f"Configure one with ?class={storage_class}. Classes are: {known}."
                reader.fail(fields["StorageClass"], problem, fix)
            moves.append((self._days(fields, node, f"{what}, Transition", least=0), tier))
        return tuple(moves)

    def _expiration(self, node: yaml.Node, what: str) -> int | None:
        reader = self.reader
        known = ("Days", "Date", "ExpiredObjectDeleteMarker")
        fields = reader.fields(node, what=f"{what}, Expiration", known=known)
        marker = fields.get("ExpiredObjectDeleteMarker")
        if marker is not None and reader.flag(marker, what="ExpiredObjectDeleteMarker"):
            problem = f"{what}, ExpiredObjectDeleteMarker: a policy cannot say this."
            reader.fail(marker, problem, "Remove it: there are no delete markers to clean up.")
        if marker is not None and len(fields) == 1:
            return None
        return self._days(fields, node, f"{what}, Expiration", least=1)

    def _days(self, fields: Mapping[str, yaml.Node], node: yaml.Node, what: str, *, least: int) -> int:
        if "Date" in fields:
            self.reader.fail(fields["Date"], f"{what}, Date: a policy cannot say this.", _NO_DATES)
        if "Days" not in fields:
            self.reader.fail(node, f"{what} lacks Days.", "Give the age in days.")
        return self.reader.whole(fields["Days"], what=f"{what}, Days", least=least)


def _policy(reader: Reader, group: Sequence[_Rule], name: str, entry: str, tiers: Sequence[TierInfo]) -> Policy:
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


def _fail(reader: Reader, rule: _Rule, problem: str, fix: str) -> NoReturn:
    reader.fail(rule.node, f"rule {rule.id!r}: {problem}", fix)


def _hottest(tiers: Sequence[TierInfo]) -> str:
    usable = [tier for tier in tiers if not tier.is_database] or list(tiers)
    return min(usable, key=lambda tier: tier.rank).name


def _named(name: str, rule: _Rule, index: int, *, alone: bool) -> str:
    if alone:
        return check_segment(name, field="name")
    try:
        return check_segment(f"{name}-{rule.id}", field="name")
    except InvalidInput:
        return f"{name}-{index}"
