"""The rules of the design as switches, the situations that they are tried in, and what is wanted under them."""

from dataclasses import dataclass

from faults.protocol.state import HOT, WARM, Artifact, Budget, Copy, State


@dataclass(frozen=True, slots=True)
class Rules:
    """R1 to R13, each on; one that is off is the protocol without it. R14 is about waiting, which no step here does."""

    r1_intent_first: bool = True  # store commits a copying row before it writes
    r2_fenced: bool = True  # a commit finds its row still copying
    r3_stale_intents: bool = True  # collect removes intents whose lease is over
    r4_list_first: bool = True  # reconcile lists the store, then asks the catalog
    r5_never_delete: bool = True  # a worker does not clean up after an unknown outcome
    r6_own_key: bool = True  # the key belongs to the placement, not to the blob
    r7_deleted_count: bool = True  # what is deleted and not purged is still wanted
    r8_frozen: bool = True  # no phase runs for what is deleted
    r9_decide_again: bool = True  # at the commit, from what is there then
    r10_undelete_due: bool = True  # undelete makes due
    r11_redundant: bool = True  # a doomed copy goes too where another one is present in its tier
    r12_commit_lock: bool = True  # a commit reads and writes under the blob's lock
    r12_collect_lock: bool = True  # collect decides and marks under it
    r13_blob_with_last: bool = True  # the blob row goes with its last placement, looked at again


NOTHING_GOES_WRONG = Budget()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where it begins and what may happen."""

    name: str
    artifacts: tuple[Artifact, Artifact]
    copies: tuple[Copy, ...]
    jobs: frozenset[str] = frozenset({"converge", "collect"})
    wishes: frozenset[str] = frozenset()
    phases: tuple[int, ...] = (HOT, WARM, 0)
    ageing: int = 0  # phases that each artifact may advance
    workers: int = 2
    slots: int = 4
    own_keys: bool = False  # each writer encrypts with a key of its own
    budget: Budget = NOTHING_GOES_WRONG

    def begin(self) -> State:
        """Return the first state."""
        free = (Copy(),) * (self.slots - len(self.copies))
        return State(
            artifacts=self.artifacts,
            blob=1 if self.copies else 0,
            copies=(*self.copies, *free),
            workers=(None,) * self.workers,
            pending=frozenset(),
            budget=self.budget._replace(wishes=3 if self.wishes else 0),
        )


@dataclass(frozen=True, slots=True)
class Protocol:
    """Rules in a scenario, and the decisions that follow from them."""

    rules: Rules
    scenario: Scenario

    def wanted(self, artifact: Artifact) -> int:
        """Decide what is wanted of an artifact now."""
        if artifact.life == "deleted":
            if artifact.purge_due and not artifact.held:
                return 0
            return artifact.wanted if self.rules.r8_frozen else self.scenario.phases[artifact.phase]
        return self._by_phase(artifact) if artifact.life == "live" else 0

    def expires(self, artifact: Artifact) -> bool:
        """Whether its phase deletes it now."""
        over = self.scenario.phases[artifact.phase] == 0
        return artifact.life == "live" and over and not artifact.pinned and not artifact.held

    def counted(self, artifact: Artifact) -> bool:
        """Whether others must leave the copies that it wants."""
        return artifact.life == "live" or (artifact.life == "deleted" and self.rules.r7_deleted_count)

    def wanted_by_others(self, state: State, index: int) -> int:
        """Return what the other artifact wanted at its last commit."""
        other = state.artifacts[1 - index]
        return other.wanted if self.counted(other) else 0

    def wanted_by_any(self, state: State) -> int:
        """Return what any artifact wanted at its last commit or wants now."""
        found = 0
        for artifact in state.artifacts:
            if self.counted(artifact):
                found |= artifact.wanted | self.wanted(artifact)
        return found

    def _by_phase(self, artifact: Artifact) -> int:
        phases = self.scenario.phases
        last = [tiers for tiers in phases[: artifact.phase + 1] if tiers][-1]
        return last | artifact.override


_ABSENT = Artifact(life="none", wanted=0)
_LIVE = Artifact()
_WARM_ONE = Artifact(phase=1, wanted=WARM)
_IN_HOT = Copy(HOT, "present", ripe=False, bytes=True, key=1)
_IN_WARM = Copy(WARM, "present", ripe=False, bytes=True, key=1)
_STORING = frozenset({"store", "converge", "collect"})
_ALL = frozenset({"store", "converge", "collect", "reconcile"})
_UNDO = frozenset({"purge", "undelete"})

SCENARIOS = (
    Scenario("two stores of nothing, lost replies", (_ABSENT, _ABSENT), (), frozenset({"store", "collect"}),
             budget=Budget(late=1, deliveries=(2, 0))),
    Scenario("a store delivered twice, reconciled", (_ABSENT, _ABSENT), (),
             frozenset({"store", "collect", "reconcile"}), slots=3,
             budget=Budget(expiries=1, crashes=1, late=1, deliveries=(2, 0))),
    Scenario("a store joins what is purged", (_LIVE, _ABSENT), (_IN_HOT,), _STORING, frozenset({"purge"}), slots=3,
             own_keys=True, budget=Budget(expiries=1, deliveries=(0, 1))),
    Scenario("a store joins what moves on", (_LIVE, _ABSENT), (_IN_HOT,), _STORING, ageing=1,
             budget=Budget(expiries=1, deliveries=(0, 1))),
    Scenario("a move with a crash and a paused worker", (_LIVE, _ABSENT), (_IN_HOT,), ageing=1,
             budget=Budget(expiries=1, crashes=1, late=1)),
    Scenario("a move, reconciled", (_LIVE, _ABSENT), (_IN_HOT,), frozenset({"converge", "collect", "reconcile"}),
             ageing=1, slots=3, budget=Budget(crashes=1, expiries=1)),
    Scenario("two move at once", (_LIVE, _LIVE), (_IN_HOT,), ageing=1, slots=3, budget=Budget(crashes=1)),
    Scenario("purge and undelete", (_LIVE, _ABSENT), (_IN_HOT,), wishes=_UNDO, ageing=1, slots=3,
             budget=Budget(expiries=1)),
    Scenario("purge and undelete of one of two", (_LIVE, _LIVE), (_IN_HOT,), wishes=_UNDO, slots=3,
             budget=Budget(expiries=1, crashes=1)),
    Scenario("a hold comes and goes", (_LIVE, _ABSENT), (_IN_HOT,), wishes=_UNDO | {"hold"}, slots=3,
             budget=Budget(expiries=1, crashes=1)),
    Scenario("the policy deletes", (_WARM_ONE, _ABSENT), (_IN_WARM,), wishes=frozenset({"undelete"}), ageing=1,
             slots=3, budget=Budget(expiries=1, crashes=1)),
    Scenario("restored while the other moves on", (_LIVE, _WARM_ONE), (_IN_HOT, _IN_WARM),
             wishes=frozenset({"restore"}), ageing=1),
    Scenario("restore and back", (_WARM_ONE, _WARM_ONE), (_IN_WARM,), wishes=frozenset({"restore"}), slots=3,
             budget=Budget(expiries=1)),
    Scenario("in two tiers", (Artifact(wanted=HOT | WARM), _ABSENT), (_IN_HOT, _IN_WARM),
             wishes=_UNDO | {"hold"}, phases=(HOT | WARM, WARM, 0), ageing=1, slots=3,
             budget=Budget(expiries=1, crashes=1)),
)  # fmt: skip
