"""Semantic checks of a well-formed policy, made on the value, so that policies of every origin are checked alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tierkeeper.policy import patterns
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Phase, Policy, Retention
from tierkeeper.policy.tiers import TierInfo
from tierkeeper_client.errors import InvalidName
from tierkeeper_client.identifiers import check_part

NodePath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem and its path in the document, such as ``("phases", 2, "after")``."""

    path: NodePath
    problem: str
    fix: str


def problems(policy: Policy, tiers: Sequence[TierInfo]) -> Iterator[Problem]:
    """Yield every problem of ``policy`` on these tiers, in the order of the document."""
    yield from _names(policy)
    yield from _sizes(policy)
    yield from _tiers(policy, tiers)
    yield from _phases(policy.phases)
    if policy.retention is not None:
        yield from _retention(policy.phases, policy.retention, tiers)


def _names(policy: Policy) -> Iterator[Problem]:
    """Yield a problem for each pattern that fits no name: its policy would never act."""
    for field, pattern in (("workflow", policy.match.workflow), ("name", policy.match.name)):
        for literal, begins, ends in patterns.literals(pattern or "*"):
            try:
                check_part(literal, field=field, begins=begins, ends=ends)
            except InvalidName as error:
                problem, fix = str(error.data["problem"]), str(error.data["fix"])
                yield Problem(("match", field), f"no {field} fits {pattern!r}: of {literal[:80]!r}, {problem}.", fix)


def _sizes(policy: Policy) -> Iterator[Problem]:
    low, high = policy.match.size_min, policy.match.size_max
    if low is not None and high is not None and low > high:
        path = ("match", "size", "max")
        yield Problem(path, f"no size is from {low} on and up to {high}.", "Swap min and max, or leave one out.")


def _tiers(policy: Policy, tiers: Sequence[TierInfo]) -> Iterator[Problem]:
    known = [tier.name for tier in tiers]
    named: list[tuple[NodePath, frozenset[str]]] = [
        (("phases", index, "in"), phase.tiers) for index, phase in enumerate(policy.phases)
    ]
    if policy.retention is not None:
        named.append((("retention", "in"), policy.retention.tiers))
    for path, names in named:
        for name in sorted(names.difference(known)):
            yield Problem(path, f"there is no tier {name!r}.", f"Tiers are: {', '.join(known)}.")


def _phases(phases: Sequence[Phase]) -> Iterator[Problem]:
    if not phases:
        yield Problem(("phases",), "there is no phase.", "Begin with `- {after: 0d, in: [hot]}`.")
        return
    if phases[0].after != Duration():
        path = ("phases", 0, "after")
        yield Problem(path, f"the first phase begins at {phases[0].after}, not at 0d.", "Say where new artifacts go.")
    if not phases[0].tiers:
        fix = "Name at least one tier; without one nothing could be stored."
        yield Problem(("phases", 0, "in"), "the first phase wants artifacts nowhere.", fix)
    for index in range(1, len(phases)):
        before, phase = phases[index - 1], phases[index]
        if not before.tiers and index > 1:
            fix = "Make the phase with `in: []` (purge) the last one."
            yield Problem(("phases", index - 1, "in"), "a purge comes before another phase.", fix)
        if not before.after.always_shorter(phase.after):
            yield Problem(
                ("phases", index, "after"),
                f"the phase at {phase.after} does not always begin after the one before it, at {before.after}.",
                "Order the phases by age, each later than the one before on every calendar day.",
            )


def _retention(phases: Sequence[Phase], retention: Retention, tiers: Sequence[TierInfo]) -> Iterator[Problem]:
    if not Duration().always_shorter(retention.period):
        yield Problem(("retention", "for"), "it retains for no time.", "Write for example P7Y, or leave retention out.")
    known = {tier.name: tier for tier in tiers}
    named = sorted(retention.tiers & known.keys())
    for name in named:
        if not known[name].locks:  # other tiers are not asked: one that is away has no part in this policy
            fix = "Name an S3 tier with Object Lock, or leave retention out."
            yield Problem(("retention", "in"), f"tier {name} cannot lock objects.", fix)
    for name in named:
        yield from _kept(phases, retention, name)
    last = phases[-1] if phases else None
    if last is not None and not last.tiers and not retention.period.never_longer(last.after):
        yield Problem(
            ("phases", len(phases) - 1, "after"),
            f"the purge at {last.after} comes before the end of the retention of {retention.period}.",
            f"Purge at {retention.period} or later, or retain for less.",
        )


def _kept(phases: Sequence[Phase], retention: Retention, name: str) -> Iterator[Problem]:
    """Yield a problem if the tier's retained copy becomes unwanted before its lock ends, or is never made."""
    entered = False
    for index, phase in enumerate(phases):
        if name in phase.tiers:
            entered = True
        elif entered and phase.tiers and not retention.period.never_longer(phase.after):
            problem = f"the phase leaves tier {name} at {phase.after}, before the retention of {retention.period} ends."
            yield Problem(("phases", index, "in"), problem, f"Keep {name} in it, or retain in another tier.")
    if not entered:
        fix = "Name the tier in a phase, or retain in a tier of the phases."
        yield Problem(("retention", "in"), f"no phase puts a copy in tier {name}, so nothing is locked.", fix)
