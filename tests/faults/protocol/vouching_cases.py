"""R15 to R18 as switches, the state of their world, and the situations in which every interleaving is tried."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from faults.protocol.state import COLD, HOT, WARM

Bytes = Literal["none", "right", "wrong"]  # a pin names one of these two by what the server calls it


class Copy(NamedTuple):
    """One placement and the bytes at its location.

    ``right`` is what nobody in the world knows: the bytes were right once since they were put there.
    """

    tier: int = 0
    state: Literal["free", "copying", "present", "doomed", "deleting"] = "free"
    vouched: bool = False
    pin: Bytes = "none"
    bytes: Bytes = "none"
    right: bool = False
    damaged: bool = False

    @property
    def readable(self) -> bool:
        """Whether its row lets it be read."""
        return self.state in {"present", "doomed"} and not self.damaged


class Job(NamedTuple):
    """What a worker is about to do with a copy, and what it knows by now."""

    at: Literal["copy", "look", "confirm", "commit", "read", "note", "put", "delete"]
    slot: int
    source: int = -1
    vouched: bool = False
    pin: Bytes = "none"
    storing: bool = False  # it is the store's work, not the move's


class Budget(NamedTuple):
    """How much may still go wrong."""

    foreign: int = 0
    crashes: int = 0
    lost: int = 0


class State(NamedTuple):
    """Everything. ``wanted`` are tiers; ``storing``: a store of the same content waits; ``next``: the phase to come."""

    copies: tuple[Copy, ...]
    wanted: int
    storing: bool
    next: int
    jobs: tuple[Job | None, ...]
    budget: Budget
    due: bool = True

    def with_copy(self, slot: int, copy: Copy) -> "State":
        """Return the state with one copy replaced."""
        return self._replace(copies=(*self.copies[:slot], copy, *self.copies[slot + 1 :]))

    def with_job(self, worker: int, job: Job | None) -> "State":
        """Return the state with a worker's next step; None: it is idle."""
        return self._replace(jobs=(*self.jobs[:worker], job, *self.jobs[worker + 1 :]))

    def free_slot(self) -> int | None:
        """Return a location that nobody knows any more."""
        known = {slot for job in self.jobs if job is not None for slot in (job.slot, job.source)}
        return next((slot for slot, c in enumerate(self.copies) if c.state == "free" and slot not in known), None)


@dataclass(frozen=True, slots=True)
class Rules:
    """R15 to R18, each on; one that is off is the protocol without it."""

    r15_counts_for_nothing: bool = True  # an unvouched copy completes nothing and dooms nothing
    r15_joined_by_none: bool = True  # store writes its bytes where only an unvouched copy is
    r15_due: bool = True  # a commit that leaves an unvouched copy in a wanted tier is due
    r16_named: bool = True  # a server-side copy names its source by the pin
    r16_probed: bool = True  # a server is believed to refuse a wrong pin only where it was seen to
    r16_no_answer_no_pin: bool = True  # after a lost reply nothing that HEAD says vouches
    r17_vouched_source: bool = True  # a pinned copy is worth what its source is
    r17_read_back: bool = True  # what was copied and is not vouched for is read whole before it counts as read
    r18_pin_of_the_read: bool = True  # the pin of the very GET whose bytes were hashed
    r18_conditional: bool = True  # what was damaged meanwhile stays so


NOTHING_GOES_WRONG = Budget()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where it begins and what may happen."""

    name: str
    copies: tuple[Copy, ...]
    wanted: int = WARM
    later: int = 0  # the tiers of the next phase
    storing: bool = False  # somebody stores the same content, to HOT
    slots: int = 3
    if_match: bool = True  # the server refuses a copy or read whose pin is not what is there
    versions: bool = False  # a pin is a version id: what it names can't be overwritten
    budget: Budget = NOTHING_GOES_WRONG

    def begin(self) -> State:
        """Return the first state."""
        free = (Copy(),) * (self.slots - len(self.copies))
        return State((*self.copies, *free), self.wanted, self.storing, self.later, (None, None), self.budget)


OURS = Copy(HOT, "present", vouched=True, pin="right", bytes="right", right=True)
OLD = OURS._replace(vouched=False, pin="none")  # of a release that took a store's word
WRONG = OLD._replace(bytes="wrong", right=False)

SCENARIOS = (
    Scenario("a move", (OURS,), budget=Budget(1, 1, 1)),
    Scenario("a move, twice overwritten", (OURS,), slots=4, budget=Budget(foreign=2)),
    Scenario("a move on a server that ignores If-Match", (OURS,), if_match=False, budget=Budget(1, 0, 1)),
    Scenario("a move on a server with versions", (OURS,), versions=True, budget=Budget(2, 1, 1)),
    Scenario("a move of a copy that nobody vouches for", (OLD,), budget=Budget(foreign=1, lost=1)),
    Scenario("a move of what was wrong before anybody looked", (WRONG,), budget=Budget(crashes=1)),
    Scenario("two copies to a third tier, one not vouched for", (OLD, OURS._replace(tier=WARM)), wanted=COLD,
             slots=4, budget=Budget(foreign=1)),
    Scenario("two copies to a third tier, the reply lost", (OURS, OURS._replace(tier=WARM)), wanted=COLD, slots=4,
             budget=Budget(foreign=1, lost=1)),
    Scenario("two moves", (OURS,), later=COLD, budget=Budget(foreign=1, lost=1)),
    Scenario("a store of what is there, wrong", (WRONG,), wanted=HOT, storing=True, budget=Budget(crashes=1)),
    Scenario("a store joins a copy", (OURS,), wanted=HOT, storing=True, budget=Budget(1, 1, 1)),
    Scenario("a store joins a copy that nobody vouches for", (OLD,), wanted=HOT, storing=True, slots=4,
             budget=Budget(foreign=1, lost=1)),
    Scenario("a store joins what moves on", (OLD,), storing=True, slots=4, budget=Budget(foreign=1)),
)  # fmt: skip
