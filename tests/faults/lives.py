"""Random lives, told to the real engine and to the reference model alike, with crashes and stores that fail."""

import random
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from faults.reference import POLICIES, Policy, Reference, Version
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support import crashing, faulty_store, invariants
from support.faulty_store import Fault, Forecast
from support.house import LEASES_END, TENANT, WORKFLOW, House
from support.vault import Vault

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import (
    AlreadyThere,
    ArtifactDeleted,
    ArtifactPurged,
    HeldArtifact,
    NotDeleted,
    RetentionLocked,
    TierkeeperError,
)
from tierkeeper.engine.trust import own_objects
from tierkeeper_client.contract import ArchiveArgs, PromoteArgs, PurgeArgs, RestoreArgs, UndeleteArgs, VerbArgs

NAMES = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from([b"one", b"two"])
FAULTS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(faulty_store.WRITING)),
    st.tuples(st.just("copy"), st.sampled_from(faulty_store.WRITING)),
    st.tuples(st.just("open"), st.sampled_from(faulty_store.READING)),
    st.tuples(st.just("delete"), st.sampled_from(faulty_store.DELETING)),
)
ANSWERS = (AlreadyThere, ArtifactDeleted, ArtifactPurged, HeldArtifact, NotDeleted, RetentionLocked)
BACKOFFS_END = timedelta(minutes=15)


class Lives(RuleBasedStateMachine):
    """Every rule does the same to both. Where it dies or a store fails, it is done again, as a redelivery would be."""

    house: House
    vault: Vault

    def __init__(self) -> None:
        super().__init__()
        self.model = Reference()
        self.calls = 0
        self.crash: tuple[crashing.Step, crashing.When] | None = None
        self.weather = Forecast(random.Random(0))  # noqa: S311  which keys of a bulk delete fail
        self.behind = False
        self.stack = ExitStack()

    @initialize()
    def begin(self) -> None:
        """Begin with nothing, under the first policy."""
        self.vault.locks.clear()
        self.house.reset()
        self.edit(POLICIES[0])
        self.stack.enter_context(faulty_store.bad_weather(self.house.keeper, self.weather))

    # -- what users do

    @rule(name=NAMES, content=CONTENTS, age=st.sampled_from([0, 1, 6, 8, 29, 40, 89, 95]))
    def store(self, name: str, content: bytes, age: int) -> None:
        """Store."""
        args = self.house.args(name, content, age=timedelta(days=age))
        self.do(lambda caller: self.house.keeper.artifacts.store(args, caller=caller))
        self.model.store(name, content, age)

    @rule(data=st.data(), tier=st.sampled_from(["hot", "warm", "cold"]))
    @precondition(lambda self: self.model.names)
    def promote(self, data: st.DataObject, tier: str) -> None:
        """Promote; what is refused changes nothing."""
        self.promoted(self.pick(data), tier)

    def promoted(self, name: str, tier: str) -> None:
        """Promote a name."""
        args = PromoteArgs(tenant=TENANT, workflow=WORKFLOW, name=name, to_tier=tier)
        if self.verb(lambda caller: self.house.keeper.artifacts.promote(args, caller=caller), name, "live"):
            self.model.promote(name, tier)

    @rule(data=st.data())
    @precondition(lambda self: self.model.names)
    def archive(self, data: st.DataObject) -> None:
        """Archive."""
        name = self.pick(data)
        args = ArchiveArgs(**self.named(name).model_dump(exclude={"reason"}))
        if self.verb(lambda caller: self.house.keeper.artifacts.archive(args, caller=caller), name, "live"):
            self.model.archive(name)

    @rule(data=st.data(), days=st.sampled_from([None, 1, 3, 20]))
    @precondition(lambda self: self.model.names)
    def restore(self, data: st.DataObject, days: int | None) -> None:
        """Restore."""
        self.restored(self.pick(data), days)

    def restored(self, name: str, days: int | None) -> None:
        """Restore a name."""
        args = RestoreArgs(tenant=TENANT, workflow=WORKFLOW, name=name, days=days)
        if self.verb(lambda caller: self.house.keeper.artifacts.restore(args, caller=caller), name, "live"):
            self.model.restore(name, days)

    @rule(data=st.data())
    @precondition(lambda self: self.model.names)
    def purge(self, data: st.DataObject) -> None:
        """Purge what lives; what a hold or retention protects is refused."""
        self.catch_up()  # a turn may be what ends its life
        name = self.pick(data)
        if self.latest(name).state != "live":
            return
        args = PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name=name)
        free = not self.model.protected(self.latest(name))
        if self.verb(lambda caller: self.house.keeper.artifacts.purge(args, caller=caller), name, "live", free=free):
            self.model.purge(name)

    @rule(data=st.data())
    @precondition(lambda self: self.model.names)
    def undelete(self, data: st.DataObject) -> None:
        """Undelete."""
        name = self.pick(data)
        args = UndeleteArgs(tenant=TENANT, workflow=WORKFLOW, name=name)
        if self.verb(lambda caller: self.house.keeper.artifacts.undelete(args, caller=caller), name, "deleted"):
            self.model.undelete(name)

    @rule(data=st.data())
    @precondition(lambda self: any(versions[-1].state != "purged" for versions in self.model.names.values()))
    def hold(self, data: st.DataObject) -> None:
        """Put a hold on the latest version of a name."""
        kept = [name for name, versions in self.model.names.items() if versions[-1].state != "purged"]
        name = data.draw(st.sampled_from(sorted(kept)))
        if not self.latest(name).held:
            self.house.hold(name)
            self.latest(name).held = True
            self.check()

    @rule()
    @precondition(lambda self: any(version.held for version in self.model.versions()))
    def release(self) -> None:
        """Release every hold; what was held is due."""
        for name, number, version in self.versions():
            if version.held:
                artifact = self.house.show(name, number).id
                self.house.sql(
                    "UPDATE holds SET released_at = now(), released_by = 'x' WHERE artifact_id = :i", i=artifact
                )
                self.house.due(artifact)
                version.held = False

    @rule(policy=st.sampled_from(POLICIES))
    def edit(self, policy: Policy) -> None:
        """Change phases, retention, versions kept. Nothing moves by that; it may make due."""
        self.house.policy(policy.document())
        self.house.keeper.sweeps.recompute()
        self.model.policy = policy
        self.check()

    # -- what the world does

    @rule(days=st.sampled_from([1, 2, 5, 8, 25, 60]))
    def days_pass(self, days: int) -> None:
        """Time passes."""
        self.time_passes(timedelta(days=days))
        self.model.today += days

    @rule(step=st.sampled_from(crashing.of_workers()), when=st.sampled_from(["before", "after"]))
    def crash_next(self, step: crashing.Step, when: crashing.When) -> None:
        """The next thing that takes this step dies there."""
        self.crash = (step, when)

    @rule(coming=st.lists(FAULTS, min_size=1, max_size=3))
    def fault_next(self, coming: list[tuple[str, Fault]]) -> None:
        """The next calls of the stores fail."""
        for operation, fault in coming:
            self.weather.coming.setdefault(operation, []).append(fault)

    # -- what sweeps do

    @rule()
    def turn(self) -> None:
        """Every copy is, after a turn, where some version wants it, and nowhere else."""
        self.do(lambda _: self.house.turn())
        self.model.turn()
        for name, number, version in self.versions():
            view = self.house.show(name, number)
            assert view.state == version.state, f"{view.ref}: {view.state}, not {version.state}"
            if version.state != "purged":
                assert self.placed(version.content, set(view.tiers)), f"{view.ref}: {view.tiers}"

    def placed(self, content: bytes, tiers: set[str]) -> bool:
        """Whether a content is where it should be after a turn."""
        return tiers == self.model.wanted(content)

    @rule()
    def look_at_all(self) -> None:
        """Somebody may look at anything at any time: a turn of everything changes no more than one of what is due."""
        self.catch_up()
        for name, number, _ in self.versions():
            self.house.due(self.house.show(name, number).id)
        self.turn()

    @rule()
    def collect(self) -> None:
        """Collect."""
        self.do(lambda _: self.house.collect())

    def teardown(self) -> None:
        """In the end all reads back; and when every hold, retention and undo window is over, nothing is left."""
        self.crash = None
        self.weather.coming.clear()
        self.catch_up()
        self.turn()
        for name, number, version in self.versions():
            if version.state != "purged":
                assert self.house.read(name, number, deleted=True) == version.content
        self.release()
        for _ in range(2):
            self.days_pass(1000)
            self.turn()
        self.house.settle()
        left = [where for where in self.house.everything() if not own_objects.is_own(where.partition("/")[2])]
        assert left == []
        self.stack.close()

    # -- how both are told

    def do(self, act: Callable[[Caller], object]) -> None:
        """Do it. After a crash or a fault leases and backoffs end, and it is done again under the same key."""
        self.catch_up()
        self.calls += 1
        caller = Caller("tester", key=f"call {self.calls}")
        armed, self.crash = self.crash, None
        faulty = bool(self.weather.coming)
        again = False
        with ExitStack() as stack:
            if armed is not None:
                stack.enter_context(crashing.crashing(*armed))
            try:
                act(caller)
            except crashing.Crash:
                again = True
            except ANSWERS:
                if not faulty:
                    raise
                again = True  # its answer was recorded, or comes again
            except TierkeeperError:
                assert faulty
                again = True
        self.weather.coming.clear()
        self.weather.arrive()
        self.ask()
        if again or faulty:
            self.time_passes(LEASES_END + BACKOFFS_END)
            self.behind = faulty
            act(caller)
            self.ask()

    def ask(self) -> None:
        """Ask every invariant."""
        invariants.check(self.house.keeper)

    def check(self) -> None:
        """Ask in calm."""
        coming, self.weather.coming = self.weather.coming, {}
        self.ask()
        self.weather.coming = coming

    def catch_up(self) -> None:
        """What a fault left behind is done by the next turn."""
        if self.behind:
            self.behind = False
            self.turn()

    def time_passes(self, length: timedelta) -> None:
        """Let time pass, in the catalog and in the vault."""
        self.house.pass_time(length)
        self.vault.time_passes(length)

    def verb(self, act: Callable[[Caller], object], name: str, state: str, *, free: bool = True) -> bool:
        """Whether the verb was carried out; it is refused exactly where the state does not allow it."""
        self.catch_up()
        allowed = self.latest(name).state == state
        try:
            self.do(act)
        except AlreadyThere:
            assert allowed
            return False
        except (ArtifactDeleted, ArtifactPurged, NotDeleted):
            assert not allowed
            return False
        except (HeldArtifact, RetentionLocked):
            assert not free
            return False
        assert allowed
        assert free
        return True

    def pick(self, data: st.DataObject) -> str:
        """One of the names there are."""
        return data.draw(st.sampled_from(sorted(self.model.names)))

    def latest(self, name: str) -> Version:
        """The latest version of a name."""
        return self.model.names[name][-1]

    def named(self, name: str) -> VerbArgs:
        """What every verb says."""
        return VerbArgs(tenant=TENANT, workflow=WORKFLOW, name=name)

    def versions(self) -> list[tuple[str, int, Version]]:
        """Every version, by name and number."""
        return [(n, i + 1, v) for n, versions in self.model.names.items() for i, v in enumerate(versions)]
