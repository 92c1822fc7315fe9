"""The inputs and outputs of a decision; its texts for people are made only on access."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tierkeeper.base.states import ArtifactState, OverrideKind
from tierkeeper.policy.rules import Phase, Policy


@dataclass(frozen=True, slots=True)
class Override:
    """Tiers that a verb added to the phase's tiers, or replaced them with, ``until`` a time or (None) for good."""

    kind: OverrideKind
    tiers: frozenset[str]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """One artifact's facts in the catalog on which a decision depends."""

    id: UUID
    state: ArtifactState
    created_at: datetime
    accessed_at: datetime | None
    metadata: Mapping[str, Any]
    wanted: frozenset[str]  # as of its last commit
    purge_at: datetime | None
    not_before: datetime | None
    retain_until: datetime | None
    override: Override | None
    holds: tuple[str, ...]
    newer_live: int  # number of live versions of the same name above this one


class Action(StrEnum):
    """The action to take for an artifact now."""

    KEEP = "keep"
    DELETE = "delete"
    DESTROY = "destroy"
    NONE = "none"


class CauseKind(StrEnum):
    """The part of the rules that decided."""

    PHASE = "phase"
    OVERRIDE = "override"
    VERSIONS = "versions"
    CLOCK = "clock"
    DELETED = "deleted"
    PURGED = "purged"


class Step(StrEnum):
    """The kind of an artifact's next step."""

    NOTHING = "nothing"
    MOVE = "move to"
    RETURN = "return to"
    PURGE = "purge"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Cause:
    """The rule that decided. ``purge_age`` is the artifact's retention override, if that moved the purge."""

    kind: CauseKind
    policy: Policy
    phase: Phase | None = None
    override: Override | None = None
    purge_at: datetime | None = None
    purge_age: str | None = None

    @property
    def rule(self) -> str:
        """The rule and policy version, such as ``default v1: phase 7d``."""
        if self.kind is CauseKind.PHASE and self.phase is not None:
            moved = f", moved to {self.purge_age} by retention_override" if self.purge_age else ""
            return f"{self.policy.label}: phase {self.phase.after}{moved}"
        if self.kind is CauseKind.OVERRIDE and self.override is not None:
            verb = "restore" if self.override.kind is OverrideKind.ADD else "moved by hand"
            return f"{verb} {_until(self.override.until)}"
        if self.kind is CauseKind.VERSIONS:
            return f"{self.policy.label}: versions keep {self.policy.versions_keep}"
        if self.kind is CauseKind.CLOCK:
            return f"{self.policy.label}: clock {self.policy.clock}"
        if self.kind is CauseKind.DELETED and self.purge_at is not None:
            return f"deleted, purged at {when(self.purge_at)}"
        return str(self.kind.value)


@dataclass(frozen=True, slots=True)
class Decision:
    """The action to take for an artifact, and why.

    ``tiers`` depends on the action. KEEP: the tiers where copies are wanted. DELETE: the undo window begins, and these
    tiers stay wanted until ``purge_at``. DESTROY: empty, wanted nowhere from now on. NONE: empty, already purged.
    ``next_due``: when to decide again, None if no step comes by itself (a hold's release makes the artifact due).
    ``blocked``: what prevents the next step when it is due; ``refused``: that step is due already.
    ``retain_until``: the later of the artifact's own retention and the one that the policy gives now.
    """

    action: Action
    tiers: frozenset[str]
    cause: Cause
    step: Step
    next_due: datetime | None = None
    blocked: tuple[str, ...] = ()
    refused: bool = False
    retain_until: datetime | None = None
    purge_at: datetime | None = None
    clock: datetime | None = None
    step_tiers: frozenset[str] = frozenset()

    def due_at(self, wanted: frozenset[str], *, now: datetime) -> datetime | None:
        """Return when to look at an artifact last wanted in ``wanted``: now if that changes, else at ``next_due``."""
        return self.next_due if self.action is Action.KEEP and self.tiers == wanted else now

    def deleting_policy(self, moment: datetime) -> str | None:
        """Return the name of the policy if it deletes the artifact at ``moment``, unless something changes before."""
        deletes = self.action is Action.DELETE or (self.step is Step.PURGE and moment == self.next_due)
        return self.policy.name if deletes else None

    @property
    def policy(self) -> Policy:
        """The policy that decided."""
        return self.cause.policy

    @property
    def rule(self) -> str:
        """The rule and policy version that decided, such as ``default v1: phase 7d``."""
        return self.cause.rule

    @property
    def next_step(self) -> str:
        """The next step in words, such as ``move to cold``, ``purge``, ``nothing``."""
        if self.step in {Step.MOVE, Step.RETURN}:
            return f"{self.step.value} {listed(self.step_tiers)}"
        return self.step.value

    @property
    def reason(self) -> str:
        """The decision as a sentence for people."""
        if self.action is Action.NONE:
            return "It was purged and is gone for good."
        if self.action is Action.DESTROY:
            return "Its undo window is over and nothing protects it: it is wanted nowhere."
        return self._delete_reason() if self.action is Action.DELETE else self._keep_reason()

    def _keep_reason(self) -> str:
        place = listed(self.tiers) if self.tiers else "no tier"
        if self.cause.kind is CauseKind.DELETED:
            return f"It is deleted; its copies stay in {place} while it can be undeleted or is protected."
        if self.cause.kind is CauseKind.CLOCK:
            return f"Its age cannot be told, so no phase runs and it stays in {place}."
        if self.refused:
            return f"It is to be purged, but is protected, so it stays in {place}."
        if self.cause.kind is CauseKind.OVERRIDE:
            return f"Somebody asked for it in {place}{_keeps(self.cause.override)}."
        return f"From an age of {self.cause.phase.after if self.cause.phase else '0d'} on it belongs in {place}."

    def _delete_reason(self) -> str:
        undo = f"it can be undeleted until {when(self.purge_at)}"
        if self.cause.kind is CauseKind.VERSIONS:
            keep = self.cause.policy.versions_keep
            return f"There are {keep} or more newer versions of it, and no more are kept; {undo}."
        age = self.cause.purge_age or (self.cause.phase.after if self.cause.phase else "0d")
        return f"It has reached the age of {age}, from which on it is wanted nowhere; {undo}."


def listed(tiers: Iterable[str]) -> str:
    """Return tiers in words and in alphabetical order, such as ``cold + hot``."""
    return " + ".join(sorted(tiers))


def when(moment: datetime | None) -> str:
    """Return a time for people, to the minute, in UTC."""
    return "never" if moment is None else f"{moment.astimezone(UTC).replace(tzinfo=None):%Y-%m-%d %H:%M} UTC"


def _until(moment: datetime | None) -> str:
    return "for good" if moment is None else f"until {when(moment)}"


def _keeps(override: Override | None) -> str:
    return f" {_until(override.until)}" if override is not None else ""
