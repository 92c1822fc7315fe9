"""The state of the protocol: everything that the catalog, the stores and the workers know, as values that hash.

One blob, two artifacts that share it (or two versions of one name), three tiers (bit masks), a few workers.
"""

from typing import Literal, NamedTuple

HOT, WARM, COLD = 1, 2, 4
TIERS = (HOT, WARM, COLD)
EXPIRED = -1  # in place of the worker that made an intent: its lease is over

Life = Literal["none", "live", "deleted", "purged"]
CopyState = Literal["free", "copying", "present", "doomed", "deleting", "lost"]
Effect = tuple[Literal["put", "delete"], int]


class Artifact(NamedTuple):
    """One artifact and its row in the schedule. ``lease`` is the worker that has it.

    ``retained`` is what its row says of retention; ``sworn`` what was promised, which no rule can take away.
    """

    life: Life = "live"
    phase: int = 0
    wanted: int = HOT
    lease: int | None = None
    held: bool = False
    due: bool = False
    purge_due: bool = False
    override: int = 0
    pinned: bool = False
    retained: bool = False
    sworn: bool = False

    @property
    def counted(self) -> bool:
        """Whether its wishes count for the blob."""
        return self.life in {"live", "deleted"}


class Copy(NamedTuple):
    """One placement and the bytes at its location; each may be there without the other.

    ``free``: there is no row. ``lost``: the row is missing, by a mistake that an operator will notice and undo.
    ``seen``: an orphan in quarantine (1), and for long enough (2).
    """

    tier: int = 0
    state: CopyState = "free"
    ripe: bool = False
    bytes: bool = False
    key: int = 0
    maker: int | None = None
    locked: bool = False
    seen: int = 0


class Job(NamedTuple):
    """What a worker is about to do: ``at`` a step of a ``kind`` of work, for an artifact, with these copies."""

    kind: Literal["converge", "store", "collect", "reconcile"]
    at: str
    slots: tuple[int, ...] = ()
    artifact: int = 0
    todo: tuple[tuple[int, int], ...] = ()  # (source, target) still to be copied
    wanted: int = 0  # as decided before the copying
    read: tuple[int, int] | None = None  # what others want and where copies are, where that is read without a lock


class Budget(NamedTuple):
    """How much may still go wrong, and how much users may still ask."""

    crashes: int = 0
    late: int = 0
    expiries: int = 0
    deliveries: tuple[int, int] = (0, 0)
    wishes: int = 0
    losses: int = 0


class State(NamedTuple):
    """Everything. ``blob`` is the key of the blob's first copy, 0 where there is no row.

    ``retains``: whether the policy of now retains what there is.
    """

    artifacts: tuple[Artifact, Artifact]
    blob: int
    copies: tuple[Copy, ...]
    workers: tuple[Job | None, ...]
    pending: frozenset[Effect]
    budget: Budget
    retains: bool = False

    def with_artifact(self, index: int, artifact: Artifact) -> "State":
        """Return the state with one artifact replaced."""
        first, second = self.artifacts
        return self._replace(artifacts=(artifact, second) if index == 0 else (first, artifact))

    def with_copy(self, slot: int, copy: Copy) -> "State":
        """Return the state with one copy replaced."""
        return self._replace(copies=(*self.copies[:slot], copy, *self.copies[slot + 1 :]))

    def with_job(self, worker: int, job: Job | None) -> "State":
        """Return the state with a worker's next step; None: it is idle."""
        return self._replace(workers=(*self.workers[:worker], job, *self.workers[worker + 1 :]))

    def late(self, effect: Effect) -> "State":
        """Return the state in which an effect may still come, or not."""
        return self._replace(pending=self.pending | {effect}, budget=self.budget._replace(late=self.budget.late - 1))

    def free_slot(self, taken: tuple[int, ...] = ()) -> int | None:
        """Return a location that was never used by anybody who still knows it."""
        known = {slot for _, slot in self.pending} | set(taken)
        for job in self.workers:
            if job is not None:
                known |= set(job.slots)
        for slot, copy in enumerate(self.copies):
            if copy.state == "free" and not copy.bytes and slot not in known:
                return slot
        return None


def tiers_of(copies: tuple[Copy, ...], state: CopyState = "present") -> int:
    """Return the tiers that have a copy in a state."""
    found = 0
    for copy in copies:
        if copy.state == state:
            found |= copy.tier
    return found


def delete(state: State, slot: int) -> tuple[State, str | None]:
    """Delete the bytes at a location; what must not be deleted breaks an invariant."""
    copy = state.copies[slot]
    lost = copy.bytes and copy.state in {"present", "doomed", "lost"}
    broken = f"I2: the bytes of a {copy.state} copy were deleted" if lost else None
    return state.with_copy(slot, copy._replace(bytes=False)), broken
