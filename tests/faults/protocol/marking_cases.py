"""R19 to R22 as switches, the state of their world, and the situations in which every interleaving is tried."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Mark = Literal["none", "ours", "theirs"]
OURS, ELSEWHERE = 0, 1  # the places that the tier's name may lead to


class Place(NamedTuple):
    """A folder, a bucket, a database: whose mark it bears, and whether our copy's bytes lie there."""

    mark: Mark = "none"
    bytes: bool = False


class Job(NamedTuple):
    """What the worker is about to do, between its looks at the mark; ``root``: the place that it opened."""

    kind: Literal["put", "look", "survivor", "delete"]
    at: Literal["mark before", "call", "mark after"] = "mark before"
    root: int = OURS


class State(NamedTuple):
    """Everything. One content moves from a tier that is always itself to the one whose place may change.

    ``leads``: the place that the name leads to now; ``flips``: how often that may still change. ``other``: the copy
    in the first tier; ``row``: the one in ours. ``inits``: how far two catalogs are that take the place as theirs.
    """

    places: tuple[Place, Place]
    other: Literal["none", "present", "doomed"]
    row: Literal["none", "copying", "present", "missing", "deleting"]
    wanted: bool
    leads: int
    flips: int
    crashes: int
    inits: tuple[str, str]
    noted: bool  # the catalog knows of a mark of its own in this tier
    suspect: bool = False
    job: Job | None = None

    def with_place(self, number: int, place: Place) -> "State":
        """Return the state with one place replaced."""
        return self._replace(places=(place, self.places[1]) if number == 0 else (self.places[0], place))


@dataclass(frozen=True, slots=True)
class Rules:
    """R19 to R22, each on; one that is off is the protocol without it."""

    r19_mark_before: bool = True  # called stores are asked before the call too: each time, not once in a process's life
    r19_mark_after: bool = True  # what a store said is used only if its mark was read after that
    r19_one_root: bool = True  # a store that can be bound does all beneath the root that it opened
    r20_two_looks: bool = True  # called stores: a copy is a suspect first, and missing when it was missed twice
    r21_survivor: bool = True  # the last other copy goes after a look at the one that stays
    r22_copies_seen: bool = True  # init makes no mark where copies are known and none of them is seen
    r22_noted: bool = True  # nor where the catalog knows that the tier got one, copies or none
    r22_if_none_match: bool = True  # a mark is written only where none is
    r22_read_back: bool = True  # and is believed once it was read
    r22_adopt_sees: bool = True  # a place is adopted only where known copies are seen


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where it begins and what may happen."""

    name: str
    bound: bool = False  # folders and databases; S3 is called
    flips: int = 0
    crashes: int = 0
    moved: bool = False  # the copy is in our place already, and nowhere else
    purged: bool = False  # somebody may purge it
    leads: int = OURS
    receipts: bool = True  # judged too: a place that is away and back within one call of its own is not seen (S3)
    places: tuple[Place, Place] = (Place("ours"), Place())
    operator: frozenset[str] = frozenset()  # init, adopt
    inits: tuple[str, str] = ("in", "out")
    lost: bool = False  # replies of an init may get lost

    def begin(self) -> State:
        """Return the first state."""
        ours = self.places[OURS]._replace(bytes=self.moved)
        return State(
            places=(ours, self.places[ELSEWHERE]),
            other="none" if self.moved else "present",
            row="present" if self.moved else "none",
            wanted=True,
            leads=self.leads,
            flips=self.flips,
            crashes=self.crashes,
            inits=self.inits,
            noted=ours.mark == "ours",
        )


_INIT, _ADOPT = frozenset({"init"}), frozenset({"adopt"})
_UNMARKED = (Place(), Place())
_FOREIGN = (Place("theirs"), Place())

SCENARIOS = (
    Scenario("bound, away and back at any time", bound=True, flips=6, crashes=1),
    Scenario("bound, purged while it is away", bound=True, flips=4, moved=True, purged=True),
    Scenario("bound, away, and init is run", bound=True, flips=4, crashes=1, operator=_INIT),
    Scenario("called, away for good", flips=1, crashes=1),
    Scenario("called, away and back", flips=2, crashes=1, receipts=False),
    Scenario("called, away and back and away", flips=3, receipts=False),
    Scenario("called, purged while it is away", flips=2, crashes=1, moved=True, purged=True, receipts=False),
    Scenario("called, away from the beginning, purged", flips=1, crashes=1, moved=True, purged=True, leads=ELSEWHERE),
    Scenario("called, mistyped, and init is run", flips=1, moved=True, leads=ELSEWHERE, operator=_INIT),
    Scenario("of the release before, mistyped, and init is run", flips=1, moved=True, leads=ELSEWHERE,
             places=_UNMARKED, operator=_INIT | _ADOPT),
    Scenario("under another line's mark, adopted", bound=True, flips=2, moved=True, places=_FOREIGN, operator=_ADOPT),
    Scenario("two catalogs take one place", places=_UNMARKED, inits=("out", "out")),
    Scenario("two catalogs take one place, replies are lost", places=_UNMARKED, inits=("out", "out"), lost=True),
)  # fmt: skip
