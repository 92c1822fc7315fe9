"""Selects the policy that governs an artifact: exactly one, the most specific that matches.

Two policies are compared in the order tenant, workflow, name, tags, content type, size; the first difference decides:

* given beats not given, and of a pattern: exact beats pattern, a longer literal beginning beats a shorter one, then
  more fixed characters beat fewer;
* more tags beat fewer;
* two bounds of size beat one beat none, and of two bounds the narrower span wins, of one bound the tighter one;
* a policy of the user beats a built-in one, so that ``default`` is what is left.

A content type is compared without its parameters and in lower case.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import combinations
from typing import Final

from tierkeeper.base.errors import PolicyNotFound, PolicyTie, TooManyPolicies
from tierkeeper.policy import patterns
from tierkeeper.policy.rules import Match, Policy

_Key = tuple[tuple[int, ...], ...]
#: literal beginnings of workflow, name and content type
_Beginnings = tuple[str, str, str]
#: active policies, of all tenants and of one
MOST: Final = 10_000
MOST_OF_TENANT: Final = 1_000
_FIELDS = ("tenant", "workflow", "name", "tags", "content type", "size")


@dataclass(frozen=True, slots=True)
class Subject:
    """The properties of an artifact by which its policy is chosen; they never change. ``size`` is in bytes."""

    tenant: str
    workflow: str
    name: str
    tags: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/octet-stream"
    size: int = 0


class Standing(StrEnum):
    """The relation of a policy to a subject."""

    GOVERNS = "governs"
    LESS_SPECIFIC = "less specific"
    NO_MATCH = "no match"


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The relation of one policy to a subject, and why, in words."""

    policy: Policy
    standing: Standing
    detail: str


def matches(policy: Policy, subject: Subject) -> bool:
    """Return True if the subject meets every condition of the policy's match."""
    return _difference(policy.match, subject) is None


def governing(policies: Iterable[Policy], subject: Subject) -> Policy:
    """Return the most specific policy that matches. Raises PolicyNotFound if none does (the default always does)."""
    best = max((policy for policy in policies if matches(policy, subject)), key=_rank, default=None)
    if best is None:
        raise PolicyNotFound(name="default")
    return best


def why(policies: Iterable[Policy], subject: Subject) -> tuple[MatchResult, ...]:
    """Return every policy's verdict: the governing policy's, then those of the others that match, then the rest."""
    ranked = sorted(policies, key=_rank, reverse=True)
    fitting = [policy for policy in ranked if matches(policy, subject)]
    verdicts = [MatchResult(p, Standing.GOVERNS, f"it matches {_described(p.match)}") for p in fitting[:1]]
    verdicts.extend(MatchResult(p, Standing.LESS_SPECIFIC, _deciding(fitting[0], p)) for p in fitting[1:])
    verdicts.extend(
        MatchResult(policy, Standing.NO_MATCH, difference)
        for policy in ranked
        if (difference := _difference(policy.match, subject)) is not None
    )
    return tuple(verdicts)


def check_ties(policies: Iterable[Policy]) -> None:
    """Raise PolicyTie if two policies are equally specific and an artifact could match both."""
    # of one specificity, patterns begin with equally many literal characters: only with the same ones can both match
    alike: dict[tuple[_Key, bool, str | None, _Beginnings], list[Policy]] = defaultdict(list)
    for policy in policies:
        of = policy.match
        alike[(_specificity(of), policy.built_in, of.tenant, _beginnings(of))].append(policy)
    for group in alike.values():
        for first, second in combinations(group, 2):
            example = _overlap(first.match, second.match)
            if example is not None:
                raise PolicyTie(first=first.label, second=second.label, example=example)


def check_numbers(before: Collection[Policy], after: Collection[Policy]) -> None:
    """Raise TooManyPolicies where there would be more than before, and more than :data:`MOST`, or of a tenant."""
    if len(after) > max(MOST, len(before)):
        raise TooManyPolicies(count=len(after), limit=MOST, of="")
    known = Counter(policy.match.tenant for policy in before)
    for tenant, count in Counter(policy.match.tenant for policy in after).items():
        if tenant is not None and count > max(MOST_OF_TENANT, known[tenant]):
            raise TooManyPolicies(count=count, limit=MOST_OF_TENANT, of=f" of tenant {tenant}")


class PolicySet:
    """Policies, found by the tenant and the literal beginnings of workflow and name of what they match."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = tuple(policies)
        self._by_workflow: dict[str | None, dict[str, dict[str, list[Policy]]]] = {}
        for policy in self._policies:
            workflow, name, _ = _beginnings(policy.match)
            by_name = self._by_workflow.setdefault(policy.match.tenant, {}).setdefault(workflow, {})
            by_name.setdefault(name, []).append(policy)
        self._lengths = sorted({len(workflow) for of in self._by_workflow.values() for workflow in of})
        self._name_lengths = sorted({len(n) for of in self._by_workflow.values() for w in of.values() for n in w})

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies)

    def governing(self, subject: Subject) -> Policy:
        """Return the policy that governs this subject; raises as :func:`governing`."""
        return governing(self._candidates(subject), subject)

    def _candidates(self, subject: Subject) -> Iterator[Policy]:
        for tenant in (subject.tenant, None):
            by_workflow = self._by_workflow.get(tenant, {})
            for length in self._lengths if by_workflow else ():
                by_name = by_workflow.get(subject.workflow[:length], {})
                for name_length in self._name_lengths if by_name else ():
                    yield from by_name.get(subject.name[:name_length], ())


def overlap(first: Match, second: Match) -> bool:
    """Return True if an artifact could match both."""
    return _overlap(first, second) is not None


def plain_type(content_type: str) -> str:
    """Return a content type without parameters and in lower case, as matching compares it."""
    return content_type.partition(";")[0].strip().lower()


def _difference(match: Match, subject: Subject) -> str | None:  # noqa: PLR0911  a line for each condition reads best
    if match.tenant is not None and match.tenant != subject.tenant:
        return f"tenant {subject.tenant!r} is not {match.tenant!r}"
    if match.workflow is not None and not patterns.matches(match.workflow, subject.workflow):
        return f"workflow {subject.workflow!r} does not fit {match.workflow!r}"
    if match.name is not None and not patterns.matches(match.name, subject.name):
        return f"name {subject.name!r} does not fit {match.name!r}"
    for pair in match.tags:
        if pair not in subject.tags:
            return f"tag {pair[0]}={pair[1]} is not there"
    if match.content_type is not None:
        plain = plain_type(subject.content_type)
        if not patterns.matches(match.content_type, plain):
            return f"content type {plain!r} does not fit {match.content_type!r}"
    if match.size_min is not None and subject.size < match.size_min:
        return f"size {subject.size} is below {match.size_min}"
    if match.size_max is not None and subject.size > match.size_max:
        return f"size {subject.size} is above {match.size_max}"
    return None


def _rank(policy: Policy) -> tuple[_Key, bool, str]:
    return _specificity(policy.match), not policy.built_in, policy.name


@lru_cache(maxsize=16_384)  # more than there may be policies
def _specificity(match: Match) -> _Key:
    return (
        (int(match.tenant is not None),),
        _of_pattern(match.workflow),
        _of_pattern(match.name),
        (len(match.tags),),
        _of_pattern(match.content_type),
        _of_size(match.size_min, match.size_max),
    )


@lru_cache(maxsize=16_384)
def _beginnings(match: Match) -> _Beginnings:
    workflow, name, kind = (patterns.beginning(p or "*") for p in (match.workflow, match.name, match.content_type))
    return workflow, name, kind


def _of_pattern(pattern: str | None) -> tuple[int, ...]:
    if pattern is None:
        return (0, 0, 0)
    exact = patterns.is_exact(pattern)
    return (2 if exact else 1, patterns.prefix_length(pattern), patterns.fixed_length(pattern))


def _of_size(low: int | None, high: int | None) -> tuple[int, ...]:
    if low is not None and high is not None:
        return (2, low - high)
    if low is not None:
        return (1, low)
    return (1, -high) if high is not None else (0, 0)


def _overlap(first: Match, second: Match) -> str | None:
    """Return in words an example of an artifact that both match, None if there is none."""
    if first.tenant is not None and second.tenant is not None and first.tenant != second.tenant:
        return None
    tags = dict(first.tags)
    clash = any(tags.get(key, value) != value for key, value in second.tags)
    low = max(first.size_min or 0, second.size_min or 0)
    highs = [high for high in (first.size_max, second.size_max) if high is not None]
    if clash or (highs and low > min(highs)):
        return None
    pairs = [
        (first.workflow or "*", second.workflow or "*"),
        (first.name or "*", second.name or "*"),
        (first.content_type or "*", second.content_type or "*"),
    ]
    if not all(patterns.meet(*pair) for pair in pairs):
        return None
    workflow, name, kind = (patterns.common(*pair) for pair in pairs)
    tags.update(second.tags)
    example = {
        "tenant": first.tenant or second.tenant,
        "workflow": workflow,
        "name": name,
        "tags": ", ".join(f"{key}={value}" for key, value in sorted(tags.items())),
        "content type": kind,
        "size": str(low) if low else "",
    }
    return (
        "an artifact with " + ", ".join(f"{k} {v}" for k, v in example.items() if v)
        if any(example.values())
        else ("every artifact")
    )


def _deciding(winner: Policy, loser: Policy) -> str:
    pairs = zip(_FIELDS, _specificity(winner.match), _specificity(loser.match), strict=True)
    for field, more, less in pairs:
        if more != less:
            return f"it matches too, but {winner.label} is more specific in {field}"
    return f"it matches too, but it is built in and {winner.label} is not"


def _described(match: Match) -> str:
    parts = [
        f"{field} {value!r}"
        for field, value in (
            ("tenant", match.tenant),
            ("workflow", match.workflow),
            ("name", match.name),
            ("content type", match.content_type),
        )
        if value is not None
    ]
    parts.extend(f"tag {key}={value}" for key, value in match.tags)
    if match.size_min is not None:
        parts.append(f"size from {match.size_min}")
    if match.size_max is not None:
        parts.append(f"size up to {match.size_max}")
    return " and ".join(parts) or "everything"
