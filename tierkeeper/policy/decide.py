"""The one decision: where an artifact must be now, why, and when to look again. A pure function of its arguments.

* A phase begins at exactly clock + after. A clock in the future is the first phase.
* A deleted artifact's tiers are frozen until ``purge_at``; no phase runs for it (R8). A phase "nowhere" and surplus
  versions do what the verb ``purge`` does (R10).
* Overrides join the phase's tiers or replace them; they never move or stop a purge.
* Retention counts from the creation. Retention and holds stop a delete and a destroy, ``not_before`` (after an
  undelete) only a delete by policy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tierkeeper.base.errors import InvalidInput, UnreadableClock
from tierkeeper.base.states import ArtifactState, OverrideKind, WriteStrategy
from tierkeeper.policy.clocks import RETENTION_OVERRIDE, clock_of, retention_override
from tierkeeper.policy.decision import Action, Cause, CauseKind, Decision, Facts, Override, Step, when
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Phase, Policy
from tierkeeper.policy.tiers import TierInfo, coldest, hottest

__all__ = [
    "Action",
    "Decision",
    "Facts",
    "Override",
    "decide",
    "entry_tiers",
    "first_written",
    "next_phase_start",
    "protects",
    "retained_until",
]

_NOWHERE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Course:
    """The phases at a time: the one that determines the tiers, the purge if it has begun, and those to come."""

    clock: datetime | None
    phase: Phase | None  # the latest one that has begun and is no purge; None: the clock is unreadable
    purge: Phase | None  # the purge phase, if it has begun
    purge_age: str | None
    coming: tuple[tuple[datetime, Phase], ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class _Event:
    at: datetime
    step: Step
    tiers: frozenset[str] = _NOWHERE


def decide(facts: Facts, policy: Policy, *, now: datetime, default_undo: Duration) -> Decision:
    """Return the decision of ``policy`` about the artifact at ``now``; ``default_undo`` is for policies without one."""
    if facts.state is ArtifactState.PURGED:
        return Decision(
            action=Action.NONE,
            tiers=_NOWHERE,
            cause=Cause(CauseKind.PURGED, policy),
            step=Step.NOTHING,
            retain_until=facts.retain_until,
            purge_at=facts.purge_at,
        )
    retain_until = retained_until(facts, policy)
    if facts.state is ArtifactState.DELETED:
        return _decide_deleted(facts, policy, now, retain_until)
    return _decide_live(facts, policy, now, retain_until, policy.undo or default_undo)


def protects(facts: Facts, policy: Policy, now: datetime) -> tuple[str, ...]:
    """Return why the content may not be destroyed at ``now``: retention and holds; empty if nothing protects it."""
    return _protections(facts, retained_until(facts, policy), now)


def retained_until(facts: Facts, policy: Policy) -> datetime | None:
    """Return the end of retention: the artifact's own or the policy's, whichever is later."""
    own = facts.retain_until
    if policy.retention is None:
        return own
    given = policy.retention.period.after(facts.created_at)
    return given if own is None or given > own else own


def entry_tiers(policy: Policy) -> frozenset[str]:
    """Return the tiers of a new artifact, whatever its age; the sweep moves it on from there."""
    return policy.phases[0].tiers


def first_written(policy: Policy, tiers: frozenset[str], infos: Sequence[TierInfo]) -> frozenset[str]:
    """Return which of ``tiers`` must have a copy before ``store`` returns, by the policy's write strategy."""
    if policy.write is WriteStrategy.ALL or not tiers:
        return tiers
    pick = hottest if policy.write is WriteStrategy.HOTTEST else coldest
    return frozenset((pick(tiers, infos),))


def next_phase_start(policy: Policy, facts: Facts, now: datetime) -> datetime | None:
    """Return the start of the artifact's next phase (purge included), None if there is none. `promote` ends then."""
    coming = _course(facts, policy, now).coming
    return coming[0][0] if coming else None


def _decide_deleted(facts: Facts, policy: Policy, now: datetime, retain_until: datetime | None) -> Decision:
    purge_at = facts.purge_at
    over = purge_at is not None and purge_at <= now
    blocked = _protections(facts, retain_until, now if over or purge_at is None else purge_at)
    destroy = over and not blocked
    due = _latest(purge_at, retain_until if blocked else None)
    return Decision(
        action=Action.DESTROY if destroy else Action.KEEP,
        tiers=_NOWHERE if destroy else facts.wanted,
        cause=Cause(CauseKind.DELETED, policy, purge_at=purge_at),
        step=Step.NOTHING if destroy else Step.DESTROY,
        next_due=None if over and (destroy or facts.holds) else due,
        blocked=blocked,
        refused=over and not destroy,
        retain_until=retain_until,
        purge_at=purge_at,
    )


def _decide_live(
    facts: Facts, policy: Policy, now: datetime, retain_until: datetime | None, undo: Duration
) -> Decision:
    course = _course(facts, policy, now)
    surplus = policy.versions_keep is not None and facts.newer_live >= policy.versions_keep
    delete = surplus or course.purge is not None
    barriers = _barriers(facts, retain_until, now) if delete else ()
    base = facts.wanted if course.phase is None else course.phase.tiers
    if delete and not barriers:
        kind = CauseKind.PHASE if course.purge is not None else CauseKind.VERSIONS
        purge_at = undo.after(now)
        return Decision(
            action=Action.DELETE,
            tiers=facts.wanted or base,
            cause=Cause(kind, policy, phase=course.purge, purge_age=course.purge_age),
            step=Step.DESTROY,
            next_due=purge_at,
            retain_until=retain_until,
            purge_at=purge_at,
            clock=course.clock,
        )
    override = _active(facts.override, now)
    event = min(_events(facts, course, override, base, retain_until, delete=delete), key=_when, default=None)
    blocked = barriers
    if not delete and event is not None and event.step is Step.PURGE:
        blocked = _barriers(facts, retain_until, course.coming[-1][0])
    if course.problem is not None and not delete:
        blocked = (*blocked, course.problem)
    return Decision(
        action=Action.KEEP,
        tiers=_joined(base, override),
        cause=_keep_cause(policy, course, override),
        step=Step.PURGE if delete else event.step if event else Step.NOTHING,
        step_tiers=event.tiers if event and not delete else _NOWHERE,
        next_due=event.at if event else None,
        blocked=blocked,
        refused=delete or course.phase is None,
        retain_until=retain_until,
        clock=course.clock,
    )


def _keep_cause(policy: Policy, course: _Course, override: Override | None) -> Cause:
    if override is not None:
        return Cause(CauseKind.OVERRIDE, policy, phase=course.phase, override=override)
    if course.phase is None:
        return Cause(CauseKind.CLOCK, policy)
    return Cause(CauseKind.PHASE, policy, phase=course.phase)


def _course(facts: Facts, policy: Policy, now: datetime) -> _Course:
    try:
        clock = clock_of(policy, created_at=facts.created_at, accessed_at=facts.accessed_at, metadata=facts.metadata)
    except UnreadableClock as error:
        return _Course(None, None, None, None, (), str(error))
    phase = policy.phases[0]
    coming: list[tuple[datetime, Phase]] = []
    for later in policy.phases[1:]:
        start = later.after.after(clock)
        if later.tiers:
            if start <= now:
                phase = later
            else:
                coming.append((start, later))
            continue
        moved = None
        if RETENTION_OVERRIDE in facts.metadata:
            try:
                moved = retention_override(facts.metadata)
            except InvalidInput as error:
                return _Course(clock, phase, None, None, tuple(coming), str(error))
        own = moved.after(clock) if moved is not None else start
        start, age = (own, str(moved)) if own > start else (start, None)
        if start <= now:
            return _Course(clock, phase, later, age, (), None)
        coming.append((start, later))
    return _Course(clock, phase, None, None, tuple(coming), None)


def _events(
    facts: Facts,
    course: _Course,
    override: Override | None,
    base: frozenset[str],
    retain_until: datetime | None,
    *,
    delete: bool,
) -> Iterator[_Event]:
    lifted = _latest(retain_until, facts.not_before)
    if delete and not facts.holds and lifted is not None:
        yield _Event(lifted, Step.PURGE)
    then = base
    for start, phase in course.coming:
        if not phase.tiers:
            yield _Event(_latest(start, retain_until, facts.not_before) or start, Step.PURGE)
        elif not _hidden(override, start):
            yield _Event(start, Step.MOVE, _joined(phase.tiers, _active(override, start)))
        if override is not None and override.until is not None and start <= override.until and phase.tiers:
            then = phase.tiers
    if override is not None and override.until is not None:
        yield _Event(override.until, Step.RETURN, then)


def _when(event: _Event) -> datetime:
    return event.at


def _hidden(override: Override | None, start: datetime) -> bool:
    """Return True if a phase that begins at ``start`` changes nothing because an override replaces its tiers."""
    return override is not None and override.kind is OverrideKind.REPLACE and _active(override, start) is not None


def _active(override: Override | None, now: datetime) -> Override | None:
    if override is None or override.until is None or now < override.until:
        return override
    return None


def _joined(tiers: frozenset[str], override: Override | None) -> frozenset[str]:
    if override is None:
        return tiers
    return override.tiers if override.kind is OverrideKind.REPLACE else tiers | override.tiers


def _protections(facts: Facts, retain_until: datetime | None, at: datetime) -> tuple[str, ...]:
    if not facts.holds and (retain_until is None or retain_until <= at):
        return ()
    held = tuple(f'hold "{name}"' for name in facts.holds)
    if retain_until is not None and retain_until > at:
        return (f"retention until {when(retain_until)}", *held)
    return held


def _barriers(facts: Facts, retain_until: datetime | None, at: datetime) -> tuple[str, ...]:
    protections = _protections(facts, retain_until, at)
    if facts.not_before is not None and facts.not_before > at:
        return (*protections, f"no policy deletes it before {when(facts.not_before)}")
    return protections


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
