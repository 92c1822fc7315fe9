"""Policy documents: parsed with line numbers for errors, written as YAML, and stored as jsonb."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.quantities import exact_size, format_share
from tierkeeper.base.states import RetentionMode, WriteStrategy
from tierkeeper.policy import patterns
from tierkeeper.policy.checks import NodePath, problems
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.match import plain_type
from tierkeeper.policy.nodes import Reader, line_of
from tierkeeper.policy.rules import ACCESSED, CREATED, METADATA_PREFIX, Brake, Match, Phase, Policy, Retention
from tierkeeper.policy.tiers import TierInfo, coldest_lockable
from tierkeeper_client import lazy
from tierkeeper_client.identifiers import check_segment

if TYPE_CHECKING:
    import yaml
else:
    yaml = lazy.module("yaml")

_T = TypeVar("_T")
_FIELDS = ("name", "match", "clock", "write", "phases", "retention", "versions", "undo", "brake")
_MATCH = ("tenant", "workflow", "name", "tags", "content_type", "size")


def parse(text: str, *, source: str, tiers: Sequence[TierInfo]) -> list[Policy]:
    """Read policies from YAML or JSON: one document, several between ``---``, or a list.

    Retention without ``in`` protects the coldest tier of the phases that can lock. Raises PolicyInvalid with
    ``source``, the line and what to do, for the first problem.
    """
    reader = Reader(source)
    policies: list[Policy] = []
    for node in reader.documents(text):
        policy = _with_default_tiers(_policy(reader, node), tiers)
        for problem in problems(policy, tiers):
            reader.refuse(_line(node, problem.path), problem.problem, problem.fix)
        if any(policy.name == other.name for other in policies):
            reader.refuse(_line(node, ("name",)), f"policy {policy.name!r} stands here twice.", "Keep one of them.")
        policies.append(policy)
    return policies


def from_document(
    document: dict[str, Any],
    *,
    name: str,
    version: int,
    id: UUID | None = None,  # noqa: A002  named as the field it fills
    built_in: bool = False,
) -> Policy:
    """Return the policy that :func:`to_document` wrote; whether its tiers still exist is not checked."""
    reader = Reader(f"policy {name} v{version}")
    (node,) = reader.documents(json.dumps({**document, "name": name}))
    return replace(_policy(reader, node), version=version, id=id, built_in=built_in)


def to_document(policy: Policy) -> dict[str, Any]:
    """Return the policy as a JSON-ready document; fields that are not set are omitted."""
    match = policy.match
    size = {k: exact_size(v) for k, v in (("min", match.size_min), ("max", match.size_max)) if v is not None}
    matched = {
        "tenant": match.tenant,
        "workflow": match.workflow,
        "name": match.name,
        "tags": dict(match.tags),
        "content_type": match.content_type,
        "size": size,
    }
    document: dict[str, Any] = {
        "name": policy.name,
        "match": {key: value for key, value in matched.items() if value},
        "clock": policy.clock,
        "write": policy.write.value,
        "phases": [{"after": str(phase.after), "in": sorted(phase.tiers)} for phase in policy.phases],
    }
    if policy.retention is not None:
        document["retention"] = {
            "mode": policy.retention.mode.value,
            "for": str(policy.retention.period),
            "in": sorted(policy.retention.tiers),
        }
    if policy.versions_keep is not None:
        document["versions"] = {"keep": policy.versions_keep}
    if policy.undo is not None:
        document["undo"] = str(policy.undo)
    if policy.brake is not None:
        document["brake"] = _brake_document(policy.brake)
    return document


def to_yaml(policy: Policy) -> str:
    """Return the policy as YAML that :func:`parse` reads back."""
    return yaml.safe_dump(to_document(policy), sort_keys=False, default_flow_style=None, allow_unicode=True)


def _policy(reader: Reader, node: yaml.Node) -> Policy:
    fields = reader.fields(node, what="a policy", known=_FIELDS, needed=("name", "phases"))
    return Policy(
        name=_segment(reader, fields["name"], "name"),
        version=0,
        match=_match(reader, fields["match"]) if "match" in fields else Match(),
        clock=_clock(reader, fields["clock"]) if "clock" in fields else CREATED,
        write=_choice(reader, fields["write"], WriteStrategy, "write") if "write" in fields else WriteStrategy.HOTTEST,
        phases=tuple(_phase(reader, item) for item in reader.items(fields["phases"], what="phases")),
        retention=_retention(reader, fields["retention"]) if "retention" in fields else None,
        versions_keep=_versions(reader, fields["versions"]) if "versions" in fields else None,
        undo=_duration(reader, fields["undo"], "undo") if "undo" in fields else None,
        brake=_brake(reader, fields["brake"]) if "brake" in fields else None,
    )


def _match(reader: Reader, node: yaml.Node) -> Match:
    fields = reader.fields(node, what="match", known=_MATCH)
    size: dict[str, int] = {}
    if "size" in fields:
        for key, value in reader.fields(fields["size"], what="size", known=("min", "max")).items():
            size[key] = reader.size(value, what=f"size {key}")
    tags = reader.pairs(fields["tags"], what="tags") if "tags" in fields else {}
    content_type = _pattern(reader, fields.get("content_type"), "content_type", never=frozenset())
    return Match(
        tenant=_tenant(reader, fields["tenant"]) if "tenant" in fields else None,
        workflow=_pattern(reader, fields.get("workflow"), "workflow", never=patterns.NEVER_IN_NAMES | {"/"}),
        name=_pattern(reader, fields.get("name"), "name", never=patterns.NEVER_IN_NAMES),
        tags=tuple(sorted((key, reader.text(value, what=f"tag {key}")) for key, (_, value) in tags.items())),
        content_type=plain_type(content_type) if content_type is not None else None,
        size_min=size.get("min"),
        size_max=size.get("max"),
    )


def _pattern(reader: Reader, node: yaml.Node | None, what: str, *, never: frozenset[str]) -> str | None:
    if node is None:
        return None
    pattern = reader.text(node, what=what)
    problem = patterns.problem(pattern, never=never)
    if problem is None and pattern.startswith("/"):
        problem = "names are relative, none begins with '/'"
    if problem is not None:
        reader.fail(node, f"{what} {pattern[:80]!r} is no usable pattern: {problem}.", "Use *, ?, [abc] and literals.")
    return None if pattern == "*" else pattern


def _segment(reader: Reader, node: yaml.Node, what: str) -> str:
    return _read(reader, node, what, lambda text, field: check_segment(text, field=field))


def _tenant(reader: Reader, node: yaml.Node) -> str:
    if {"*", "?"}.intersection(reader.text(node, what="tenant")):
        reader.fail(node, "tenant takes no pattern.", "Name one tenant, or leave it out for all of them.")
    return _segment(reader, node, "tenant")


def _clock(reader: Reader, node: yaml.Node) -> str:
    clock = reader.text(node, what="clock")
    if clock not in {CREATED, ACCESSED} and not (clock.startswith(METADATA_PREFIX) and clock != METADATA_PREFIX):
        reader.fail(node, f"there is no clock {clock!r}.", "Clocks are: created, accessed, metadata:<field>.")
    return clock


def _choice(reader: Reader, node: yaml.Node, kind: Callable[[str], _T], what: str) -> _T:
    text = reader.text(node, what=what)
    try:
        return kind(text)
    except ValueError:
        choices = ", ".join(str(choice) for choice in kind)  # type: ignore[attr-defined]  # an enum class iterates
        reader.fail(node, f"{what} cannot be {text!r}.", f"Choose from: {choices}.")


def _phase(reader: Reader, node: yaml.Node) -> Phase:
    fields = reader.fields(node, what="a phase", known=("after", "in"), needed=("after", "in"))
    return Phase(_duration(reader, fields["after"], "after"), _tier_names(reader, fields["in"]))


def _retention(reader: Reader, node: yaml.Node) -> Retention:
    fields = reader.fields(node, what="retention", known=("mode", "for", "in"), needed=("for",))
    return Retention(
        mode=_choice(reader, fields["mode"], RetentionMode, "mode") if "mode" in fields else RetentionMode.GOVERNANCE,
        period=_duration(reader, fields["for"], "for"),
        tiers=_tier_names(reader, fields["in"]) if "in" in fields else frozenset(),
    )


def _versions(reader: Reader, node: yaml.Node) -> int:
    fields = reader.fields(node, what="versions", known=("keep",), needed=("keep",))
    return reader.whole(fields["keep"], what="versions keep", least=1)


def _brake(reader: Reader, node: yaml.Node) -> Brake:
    if isinstance(node, yaml.ScalarNode):
        if str(node.value).lower() not in {"off", "false"}:
            reader.fail(node, "brake must be a mapping, or off.", "Write for example {share: 5%, count: 1000}.")
        return Brake(off=True)
    fields = reader.fields(node, what="brake", known=("share", "count"))
    if not fields:
        reader.fail(node, "brake says nothing.", "Give a share, a count or both; the larger of them is the limit.")
    return Brake(
        share=reader.share(fields["share"], what="brake share") if "share" in fields else 0.0,
        count=reader.whole(fields["count"], what="brake count", least=0) if "count" in fields else 0,
    )


def _brake_document(brake: Brake) -> dict[str, Any] | bool:
    if brake.off:
        return False  # YAML parses `off` as this
    return {"share": format_share(brake.share), "count": brake.count}


def _tier_names(reader: Reader, node: yaml.Node) -> frozenset[str]:
    names: set[str] = set()
    for item in reader.items(node, what="in"):
        name = reader.text(item, what="a tier")
        if name in names:
            reader.fail(item, f"tier {name!r} stands twice in one list.", "Keep one of them.")
        names.add(name)
    return frozenset(names)


def _duration(reader: Reader, node: yaml.Node, what: str) -> Duration:
    return _read(reader, node, what, lambda text, field: Duration.parse(text, field=field))


def _read(reader: Reader, node: yaml.Node, what: str, read: Callable[[str, str], _T]) -> _T:
    try:
        return read(reader.text(node, what=what), what)
    except InvalidInput as error:
        reader.fail_with(node, error)


def _with_default_tiers(policy: Policy, tiers: Sequence[TierInfo]) -> Policy:
    if policy.retention is None or policy.retention.tiers:
        return policy
    known = {tier.name for tier in tiers}
    named = frozenset().union(*(phase.tiers for phase in policy.phases)) & known
    able = coldest_lockable(named, tiers)
    chosen = frozenset((able,)) if able else named
    return replace(policy, retention=replace(policy.retention, tiers=chosen))


def _line(node: yaml.Node, path: NodePath) -> int:
    """Return the line of the node at ``path`` (of its key, if it has one), or of its nearest existing ancestor."""
    line = line_of(node)
    for part in path:
        if isinstance(node, yaml.SequenceNode):
            inner = {index: (item, item) for index, item in enumerate(node.value)}
        else:
            inner = {key.value: (key, value) for key, value in node.value}
        if part not in inner:
            break
        key, node = inner[part]
        line = line_of(key)
    return line
