"""The rules of the design as switches, what a scenario is, and what is wanted and protected under the rules."""

from dataclasses import dataclass

from faults.protocol.state import Artifact, Budget, Copy, State


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
    holds: bool = True  # asked by every decision
    retention: bool = True  # asked by every decision
    retention_of_now: bool = True  # a longer retention of the policy protects before any commit noted it
    retention_grows: bool = True  # a shorter one changes nothing for what is retained
    locks_are_due: bool = True  # a commit whose WORM locks are not set yet leaves the artifact due
    surplus_is_due: bool = True  # a store, and an undelete, make the versions due that they make surplus
    seen_twice: bool = True  # reconcile deletes only what was in quarantine for a while


NOTHING_GOES_WRONG = Budget()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Where it begins and what may happen."""

    name: str
    artifacts: tuple[Artifact, Artifact]
    copies: tuple[Copy, ...]
    jobs: frozenset[str] = frozenset({"converge", "collect"})
    wishes: frozenset[str] = frozenset()
    phases: tuple[int, ...] = (1, 2, 0)
    ageing: int = 0  # phases that each artifact may advance
    workers: int = 2
    slots: int = 4
    own_keys: bool = False  # each writer encrypts with a key of its own
    guarded: int = 0  # tiers in which retention keeps a copy
    retains: bool = False  # the policy retains from the beginning
    keep: int = 0  # the two are versions of one name, of which so many are kept (0: two names)
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
            retains=self.retains,
        )


@dataclass(frozen=True, slots=True)
class Protocol:
    """Rules in a scenario, and the decisions that follow from them."""

    rules: Rules
    scenario: Scenario

    def wanted(self, state: State, artifact: Artifact) -> int:
        """Decide what is wanted of an artifact now."""
        if artifact.life == "deleted":
            if artifact.purge_due and not self.protected(state, artifact):
                return 0
            return artifact.wanted if self.rules.r8_frozen else self.scenario.phases[artifact.phase]
        return self._by_phase(artifact) if artifact.life == "live" else 0

    def expires(self, state: State, index: int) -> bool:
        """Whether its phase deletes it now, or a newer version that is kept instead."""
        artifact = state.artifacts[index]
        over = self.scenario.phases[artifact.phase] == 0 or self.surplus(state, index)
        return artifact.life == "live" and over and not artifact.pinned and not self.protected(state, artifact)

    def surplus(self, state: State, index: int) -> bool:
        """Whether there are enough newer versions of its name that live; B is the newer one."""
        newer = index == 0 and state.artifacts[1].life == "live"
        return self.scenario.keep == 1 and newer

    def protected(self, state: State, artifact: Artifact) -> bool:
        """Whether a hold or retention protects the content, as far as the rules ask."""
        return (artifact.held and self.rules.holds) or self.retained(state, artifact)

    def retained(self, state: State, artifact: Artifact) -> bool:
        """Whether retention does."""
        if artifact.life == "none" or not self.rules.retention:
            return False
        return artifact.retained or (state.retains and self.rules.retention_of_now)

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
                found |= artifact.wanted | self.wanted(state, artifact)
        return found

    def _by_phase(self, artifact: Artifact) -> int:
        phases = self.scenario.phases
        last = [tiers for tiers in phases[: artifact.phase + 1] if tiers][-1]
        return last | artifact.override
