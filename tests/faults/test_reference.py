"""The real engine against the reference model: random lives, with crashes at random steps."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

import invariants
from faults import crashing
from faults.reference import POLICY, Reference, Version
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from integration.keeper.house import LEASES_END, TENANT, WORKFLOW, House

from tierkeeper.base.errors import AlreadyThere, ArtifactDeleted, ArtifactPurged, NotDeleted
from tierkeeper.base.values import Call
from tierkeeper_client.contract import ArchiveArgs, PromoteArgs, PurgeArgs, RestoreArgs, UndeleteArgs, VerbArgs

NAMES = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from([b"one", b"two"])
STEPS = crashing.steps()


class Lives(RuleBasedStateMachine):
    """Every rule does the same to both, and may die on the way: then it is done again, as a redelivery would."""

    house: House

    def __init__(self) -> None:
        super().__init__()
        self.model = Reference()
        self.calls = 0
        self.crash: tuple[crashing.Step, crashing.When] | None = None

    @initialize()
    def begin(self) -> None:
        """Begin with nothing."""
        self.house.reset()

    @rule(name=NAMES, content=CONTENTS, age=st.sampled_from([0, 1, 6, 8, 29, 40, 89, 95]))
    def store(self, name: str, content: bytes, age: int) -> None:
        """Store."""
        args = self.house.args(name, content, age=timedelta(days=age))
        self.do(lambda call: self.house.keeper.store(args, call=call))
        self.model.store(name, content, age)

    @rule(data=st.data(), tier=st.sampled_from(["hot", "warm", "cold"]))
    @precondition(lambda self: self.model.names)
    def promote(self, data: st.DataObject, tier: str) -> None:
        """Promote; what is refused changes nothing."""
        name = self.pick(data)
        args = PromoteArgs(tenant=TENANT, workflow=WORKFLOW, name=name, to_tier=tier)
        if self.verb(lambda call: self.house.keeper.promote(args, call=call), name, "live"):
            self.model.promote(name, tier)

    @rule(data=st.data())
    @precondition(lambda self: self.model.names)
    def archive(self, data: st.DataObject) -> None:
        """Archive."""
        name = self.pick(data)
        args = ArchiveArgs(**self.named(name).model_dump(exclude={"reason"}))
        if self.verb(lambda call: self.house.keeper.archive(args, call=call), name, "live"):
            self.model.archive(name)

    @rule(data=st.data(), days=st.sampled_from([None, 1, 3, 20]))
    @precondition(lambda self: self.model.names)
    def restore(self, data: st.DataObject, days: int | None) -> None:
        """Restore."""
        name = self.pick(data)
        args = RestoreArgs(tenant=TENANT, workflow=WORKFLOW, name=name, days=days)
        if self.verb(lambda call: self.house.keeper.restore(args, call=call), name, "live"):
            self.model.restore(name, days)

    @rule(data=st.data())
    @precondition(lambda self: self.model.names)
    def purge(self, data: st.DataObject) -> None:
        """Purge."""
        name = self.pick(data)
        if self.model.names[name][-1].state != "live":
            return
        args = PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name=name)
        self.do(lambda call: self.house.keeper.purge(args, call=call))
        self.model.purge(name)

    @rule(data=st.data())
    @precondition(lambda self: self.model.names)
    def undelete(self, data: st.DataObject) -> None:
        """Undelete."""
        name = self.pick(data)
        args = UndeleteArgs(tenant=TENANT, workflow=WORKFLOW, name=name)
        if self.verb(lambda call: self.house.keeper.undelete(args, call=call), name, "deleted"):
            self.model.undelete(name)

    @rule(days=st.sampled_from([1, 2, 5, 8, 25, 60]))
    def days_pass(self, days: int) -> None:
        """Time passes."""
        self.house.days_pass(days)
        self.model.today += days

    @rule()
    def turn(self) -> None:
        """Every copy is, after a turn, where some version wants it, and nowhere else."""
        self.do(lambda _: self.house.turn())
        self.model.turn()
        for name, number, version in self.versions():
            view = self.house.show(name, number)
            assert view.state == version.state, f"{view.ref}: {view.state}, not {version.state}"
            if version.state != "purged":
                assert set(view.tiers) == self.model.wanted(version.content), str(view.ref)

    @rule()
    def collect(self) -> None:
        """Collect."""
        self.do(lambda _: self.house.collect())

    @rule(step=st.sampled_from(STEPS), when=st.sampled_from(["before", "after"]))
    def crash_next(self, step: crashing.Step, when: crashing.When) -> None:
        """The next thing that takes this step dies there."""
        self.crash = (step, when)

    def teardown(self) -> None:
        """In the end everything settles, and reads back."""
        self.crash = None
        self.turn()
        self.house.settle()
        for name, number, version in self.versions():
            if version.state != "purged":
                assert self.house.read(name, number, deleted=True) == version.content

    def pick(self, data: st.DataObject) -> str:
        """One of the names there are."""
        return data.draw(st.sampled_from(sorted(self.model.names)))

    def named(self, name: str) -> VerbArgs:
        """What every verb says."""
        return VerbArgs(tenant=TENANT, workflow=WORKFLOW, name=name)

    def versions(self) -> list[tuple[str, int, Version]]:
        """Every version, by name and number."""
        return [(n, i + 1, v) for n, versions in self.model.names.items() for i, v in enumerate(versions)]

    def verb(self, act: Callable[[Call], object], name: str, state: str) -> bool:
        """Whether the verb was carried out; it is refused exactly where the state does not allow it."""
        allowed = self.model.names[name][-1].state == state
        try:
            self.do(act)
        except AlreadyThere:
            assert allowed
            return False
        except (ArtifactDeleted, ArtifactPurged, NotDeleted):
            assert not allowed
            return False
        assert allowed
        return True

    def do(self, act: Callable[[Call], object]) -> None:
        """Do it; after a crash the leases end and it is done again under the same key."""
        self.calls += 1
        call = Call(f"call {self.calls}", "tester")
        armed, self.crash = self.crash, None
        with ExitStack() as stack:
            if armed is not None:
                stack.enter_context(crashing.crashing(*armed))
            try:
                act(call)
            except crashing.Crash:
                invariants.check(self.house.keeper)
                self.house.pass_time(LEASES_END)
                act(call)
        invariants.check(self.house.keeper)


def test_lives(house: House) -> None:
    """Whatever is done in whatever order, and wherever it crashes, engine and reference agree."""
    house.policy(POLICY)
    machine = type("LivesHere", (Lives,), {"house": house})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=18,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
