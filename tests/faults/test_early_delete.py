"""Nothing is deleted early, whatever is done in whatever order: an oracle stands at each commit and each store."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from faults.oracle import Oracle, Rules, Watched, watching
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from support import crashing, invariants
from support.crashing import Crash
from support.house import LEASES_END, TENANT, WORKFLOW, House, houses
from support.scale import SEED, scaled
from support.vault import Vault, install

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import (
    AlreadyThere,
    ArtifactDeleted,
    ArtifactNotFound,
    ArtifactPurged,
    HeldArtifact,
    NotDeleted,
    RetentionLocked,
)
from tierkeeper.base.states import ArtifactState
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.errors import StoreTransient
from tierkeeper_client.contract import ArchiveArgs, PromoteArgs, PurgeArgs, RestoreArgs, UndeleteArgs

NAMES = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from([b"one", b"two"])
AGES = st.sampled_from([0, 1, 8, 29, 40, 89, 95])
RULES = st.sampled_from(
    [
        Rules(),
        Rules(undo=0),
        Rules(undo=30, purge=60),
        Rules(purge=None),
        Rules(phases=((0, "hot"), (20, "cold")), purge=40),
        Rules(retention=200, purge=None),
        Rules(retention=80),
        Rules(phases=((0, "hot"), (1, "warm"), (2, "cold")), purge=3, undo=1),
        Rules(phases=((0, "hot"), (7, "cold")), retention=20, purge=20, undo=0),
        Rules(keep=1, undo=2),
    ]
)
REFUSED = (AlreadyThere, ArtifactDeleted, ArtifactNotFound, ArtifactPurged, HeldArtifact, NotDeleted, RetentionLocked)
STEPS = crashing.of_workers()


class Lives(RuleBasedStateMachine):
    """Users, operators, time and faults, in any order; after each the oracle has seen nothing wrong."""

    house: House
    oracle: Oracle
    vault: Vault

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.known: set[str] = set()
        self.held: set[str] = set()
        self.crash: tuple[crashing.Step, crashing.When] | None = None

    @initialize(rules=RULES, ages=st.tuples(AGES, AGES, AGES))
    def begin(self, rules: Rules, ages: tuple[int, int, int]) -> None:
        """Begin with a policy and three artifacts, two of which share their content."""
        self.vault.locks.clear()
        self.oracle.reset()
        self.edit(rules)
        for name, content, age in zip("abc", [b"one", b"one", b"two"], ages, strict=True):
            self.store(name, content, age)

    @rule(name=NAMES, content=CONTENTS, age=AGES)
    def store(self, name: str, content: bytes, age: int) -> None:
        """Store."""
        args = self.house.args(name, content, age=timedelta(days=age))
        if self.do(lambda caller: self.house.keeper.artifacts.store(args, caller=caller)):
            self.known.add(name)

    @rule(data=st.data(), verb=st.sampled_from(["purge", "undelete", "promote", "archive", "restore"]))
    @precondition(lambda self: self.known)
    def ask(self, data: st.DataObject, verb: str) -> None:
        """Ask for something, whether it can be had or not."""
        named = {"tenant": TENANT, "workflow": WORKFLOW, "name": data.draw(st.sampled_from(sorted(self.known)))}
        keeper = self.house.keeper
        if verb == "promote":
            promote = PromoteArgs(**named, to_tier=data.draw(st.sampled_from(["hot", "warm", "cold"])))
            self.do(lambda caller: keeper.artifacts.promote(promote, caller=caller))
        elif verb == "archive":
            self.do(lambda caller: keeper.artifacts.archive(ArchiveArgs(**named), caller=caller))
        elif verb == "restore":
            restore = RestoreArgs(**named, days=data.draw(st.sampled_from([None, 1, 20])))
            self.do(lambda caller: keeper.artifacts.restore(restore, caller=caller))
        elif verb == "undelete":
            self.do(lambda caller: keeper.artifacts.undelete(UndeleteArgs(**named), caller=caller))
        else:
            self.oracle.asked.add(named["name"])
            purge = PurgeArgs(**named, all_versions=data.draw(st.booleans()))
            self.do(lambda caller: keeper.artifacts.purge(purge, caller=caller))
            self.oracle.asked.clear()

    @rule(data=st.data())
    @precondition(lambda self: self.known)
    def hold(self, data: st.DataObject) -> None:
        """Hold, or release what is held."""
        name = data.draw(st.sampled_from(sorted(self.known)))
        if name in self.held:
            self.held.remove(name)
            self.house.release(name)
        elif self.house.show(name).state is not ArtifactState.PURGED:  # nothing is left to hold
            self.held.add(name)
            self.house.hold(name)

    @rule(rules=RULES)
    def edit(self, rules: Rules) -> None:
        """Edit the policy, for what there is too."""
        self.oracle.rules = rules
        self.house.policy(rules.document())
        self.do(lambda _: self.house.keeper.sweeps.recompute())

    @rule(length=st.sampled_from([0.1, 1, 2, 5, 8, 25, 60, 200]))
    def days_pass(self, length: float) -> None:
        """Time passes."""
        self.pass_time(timedelta(days=length))

    @rule(lengths=st.lists(st.sampled_from([0.02, 0.1, 1, 6, 8, 30, 60]), min_size=1, max_size=3))
    def days_go_by(self, lengths: list[float]) -> None:
        """Time passes as it does: with sweeps."""
        for length in lengths:
            self.days_pass(length)
            self.turn()
            self.collect()

    @rule()
    def turn(self) -> None:
        """Sweep."""
        self.do(lambda _: self.house.turn())

    @rule()
    def collect(self) -> None:
        """Collect."""
        self.do(lambda _: self.house.collect())

    @rule(step=st.sampled_from(STEPS), when=st.sampled_from(["before", "after"]))
    def crash_next(self, step: crashing.Step, when: crashing.When) -> None:
        """The next thing that takes this step dies there."""
        self.crash = (step, when)

    @rule(tier=st.sampled_from(["hot", "warm", "cold"]), at=st.sampled_from(["before", "after"]), once=st.booleans())
    def writes_fail(self, tier: str, at: str, *, once: bool) -> None:
        """Writes to this tier fail, with their effect or without it: the next one, or all until it is back."""
        store = self.house.keeper.engine.store(tier)
        assert isinstance(store, Watched)

        def fault(where: str) -> None:
            if where == f"{at} write":
                if once:
                    store.fault = None
                raise StoreTransient(tier=tier, reason="a fault of the test")

        store.fault = fault

    @rule(tier=st.sampled_from(["warm", "cold"]), length=st.sampled_from([0.1, 1, 8, 25, 60]))
    def days_go_by_without(self, tier: str, length: float) -> None:
        """A tier can't be written for some days; the sweeps come all the same."""
        self.writes_fail(tier, "before", once=False)
        self.days_go_by([length, 0.1])
        self.heal()

    @rule()
    def heal(self) -> None:
        """Nothing fails any more."""
        for store in self.house.keeper.engine.stores.values():
            assert isinstance(store, Watched)
            store.fault = None

    def teardown(self) -> None:
        """In the end, when nothing fails, everything settles; what is there reads back."""
        self.crash = None
        self.heal()
        for _ in range(2):  # what failed is tried again after a while
            self.pass_time(timedelta(hours=2))
            self.house.turn()
            self.house.collect()
        self.pass_time(LEASES_END)
        self.house.turn()
        self.house.collect()
        self.agree()
        invariants.check(self.house.keeper)

    def pass_time(self, length: timedelta) -> None:
        """Time passes for the catalog and for the locks of the store."""
        self.house.pass_time(length)
        self.vault.time_passes(length)

    def agree(self) -> None:
        """The oracle has seen nothing wrong."""
        assert not self.oracle.wrong, "\n".join(self.oracle.wrong)

    def do(self, act: Callable[[Caller], object]) -> bool:
        """Do it; after a crash the leases end and it is done again under the same key. Whether it was not refused."""
        self.calls += 1
        caller = Caller("tester", key=f"call {self.calls}")
        armed, self.crash = self.crash, None
        with ExitStack() as stack:
            if armed is not None:
                stack.enter_context(crashing.crashing(*armed))
            try:
                done = self.tried(act, caller)
            except Crash:
                self.pass_time(LEASES_END)
                done = self.tried(act, caller)
        self.agree()
        return done

    def tried(self, act: Callable[[Caller], object], caller: Caller) -> bool:
        """Do it; whether it was not refused."""
        try:
            act(caller)
        except (StoreTransient, *REFUSED):
            return False
        return True


@pytest.fixture
def house(settings_factory: Callable[..., Settings]) -> Iterator[House]:
    """A house in which what is doomed has an hour of grace."""
    options: dict[str, dict[str, str]] = {"hot": {}, "warm": {"layout": "cas"}, "cold": {"layout": "cas"}}
    tiers = {tier: {"options": {"fsync": "no", **more}} for tier, more in options.items()}
    with houses(settings_factory) as opener:
        yield opener(tiers=tiers, engine={"grace": "1h"})


def test_nothing_is_deleted_early(house: House) -> None:
    """At every commit and every delete call of random lives an oracle that knows only the rules agrees."""
    vault = install(house, "cold")
    with watching(house, Rules()) as oracle:
        machine = type("LivesHere", (Lives,), {"house": house, "oracle": oracle, "vault": vault})
        run_state_machine_as_test(
            seed(SEED)(machine),
            settings=settings(
                max_examples=scaled(short=15, long=40),
                stateful_step_count=25,
                print_blob=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
        assert oracle.judged > 0
        assert oracle.deleted > 0
