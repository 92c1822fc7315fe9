"""Events whose subject is a run, and the counts of a run that stopped itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.payload import Payload, Side
from tierkeeper.base.states import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPayload(Payload):
    """An event of a run."""

    kind: ClassVar[SubjectKind] = SubjectKind.RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedPolicies(Side):
    """Deletions of one tenant by policies, stopped by the brake; ``policies``: the number of artifacts by policy.

    ``policy`` names a policy with a brake of its own; it is empty for all others together. ``pending``, ``recent`` and
    ``limit`` are numbers of artifacts: due now, deleted within the brake's window, and allowed for both together (null:
    no limit). ``samples`` are some of the artifacts, as ``workflow/name@version``, longest due first.
    """

    waits: str
    policy: str
    reason: str
    pending: int
    recent: int
    limit: int | None
    policies: Mapping[str, int]
    samples: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedCommand(Side):
    """A command that selected more artifacts than the brake allows; it is given again after the approval.

    ``selection`` is its filter in words, ``limit`` a number of artifacts, ``samples`` the names of some of them.
    """

    waits: str
    selection: str
    reason: str
    limit: int
    samples: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedReconcile(Side):
    """A reconcile that found more differences than are believed; ``findings``: their number by tier."""

    reason: str
    findings: Mapping[str, int]
    samples: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBraked(RunPayload):
    """More was to be deleted than the brake lets go, by policies or by a filter, or a reconcile stopped itself.

    It awaits approval.
    """

    type: ClassVar[EventType] = EventType.BRAKED
    after: StoppedPolicies | StoppedCommand | StoppedReconcile


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitingRun(Side):
    """A run that awaits a decision, and its counts: a number by the word for what was counted, such as ``stopped``."""

    state: RunState
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDecision(Side):
    """The decision about a run, and its reason."""

    state: RunState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunApproved(RunPayload):
    """An operator let it go on."""

    type: ClassVar[EventType] = EventType.APPROVED
    before: AwaitingRun
    after: RunDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRejected(RunPayload):
    """An operator stopped it for good."""

    type: ClassVar[EventType] = EventType.REJECTED
    before: AwaitingRun
    after: RunDecision
