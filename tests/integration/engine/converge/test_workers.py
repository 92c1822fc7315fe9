"""Workers that stop, wake up late, and meet: the steps of converge taken one by one."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from support import invariants
from support.callers import TESTER
from support.house import LEASES_END, House
from support.slow_worker import Slow

from tierkeeper.base import callers
from tierkeeper.base.errors import SweepAtWork
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Outcome
from tierkeeper.engine.collect import collect, survivors
from tierkeeper.stores.base import ObjectKey
from tierkeeper.values.runs import SweepResult


@pytest.fixture
def aged(house: House) -> House:
    """An artifact that is to move from hot to warm."""
    house.store(age=timedelta(days=8))
    return house


def test_a_paused_worker_commits_nothing_twice(aged: House) -> None:
    """A worker that wakes after another did its work finds its intent taken or lost; all stays as it was."""
    slow = Slow(aged).claim().intend().copy()
    aged.pass_time(LEASES_END)
    assert aged.turn() == {"promoted_to_warm": 1}
    before = aged.show().placements
    (result,) = slow.commit().values()
    assert result.outcome is Outcome.NOTHING
    assert [p for p in aged.show().placements if p.state == "present"] == [p for p in before if p.state == "present"]
    aged.settle()
    assert aged.tiers() == {"warm"}
    assert aged.events() == ["stored", "moved"]


def test_a_paused_worker_whose_copy_was_collected(aged: House) -> None:
    """A worker that wakes after collect took its stale intent commits no copy; the next turn makes one."""
    slow = Slow(aged).claim().intend().copy()
    aged.pass_time(LEASES_END)
    assert aged.collect().counts["stale intents"] == 1
    (result,) = slow.commit().values()
    assert result.outcome is Outcome.RETRY
    assert aged.tiers() == {"hot"}
    aged.pass_time(LEASES_END)
    aged.settle()
    assert aged.tiers() == {"warm"}


def test_a_worker_collected_while_it_writes(aged: House) -> None:
    """Bytes that are written after collect forgot the intent are never committed."""
    slow = Slow(aged).claim().intend()
    aged.pass_time(LEASES_END)
    aged.collect()
    slow.copy()
    assert next(iter(slow.commit().values())).outcome is Outcome.RETRY
    assert aged.tiers() == {"hot"}
    assert aged.sql("SELECT count(*) FROM placements WHERE tier = 'warm'")[0][0] == 0
    # such bytes are what reconcile finds; there is no row that could ever commit them
    (orphan,) = [location for location in aged.everything() if location.startswith("warm/")]
    store = aged.keeper.engine.stores["warm"]
    store.delete([ObjectKey(orphan.removeprefix("warm/"))])
    aged.pass_time(LEASES_END)
    aged.settle()


def test_a_tier_that_another_copies_to_is_left_to_them(house: House) -> None:
    """Of two artifacts with one content, a second worker makes no second copy while the first is at it."""
    house.store("a", b"shared", age=timedelta(days=8))
    slow = Slow(house).claim().intend()
    house.store("b", b"shared", age=timedelta(days=9))
    second = Slow(house).claim().intend()
    assert (len(slow.intents), len(second.intents), len(second.foreign)) == (1, 0, 1)
    (waiting,) = second.commit().values()
    assert (waiting.outcome, waiting.detail) == (Outcome.RETRY, "another worker is copying it")
    slow.copy().commit()
    house.pass_time(timedelta(seconds=5))
    house.settle()
    assert house.tiers("b") == {"warm"}


def test_a_restore_during_a_move_is_not_forgotten(aged: House) -> None:
    """A verb that comes while a sweep holds the lease wins: the commit decides again, and the artifact stays due."""
    slow = Slow(aged).claim().intend().copy()
    aged.restore()
    slow.commit()
    assert aged.tiers() >= {"warm"}
    aged.pass_time(timedelta(seconds=10))
    aged.settle()
    assert aged.tiers() == {"hot", "warm"}


def test_a_purge_during_a_move_is_not_forgotten(aged: House) -> None:
    """An artifact that is deleted while it moves keeps its copies for the undo window and is destroyed after it."""
    slow = Slow(aged).claim().intend().copy()
    aged.purge()
    slow.commit()
    assert aged.show().state == "deleted"
    assert aged.read(deleted=True) == b"content"
    aged.days_pass(8)
    aged.settle()
    assert aged.everything() == []


def test_silence_is_parked(aged: House) -> None:
    """An artifact whose claims end without an outcome again and again is parked with a reason; a verb takes it up."""
    for _ in range(5):
        assert Slow(aged).claim().ids
        aged.pass_time(LEASES_END)
    assert aged.turn() == {"parked": 1}
    view = aged.show()
    assert view.parked_reason is not None
    assert "5 attempts" in view.parked_reason
    assert aged.events()[-1] == "parked"
    assert aged.turn() == {}
    assert any("parked" in blocked for blocked in aged.keeper.artifacts.explain(aged.ref()).blocked)
    aged.restore()
    aged.settle()


def test_reported_failures_are_not_parked(aged: House) -> None:
    """An outage parks nothing: attempts that report a failure back off, further each time, and go on for ever."""
    folder = Path(aged.settings.tiers["warm"].url.removeprefix("file://"))
    away = folder.rename(folder.with_name("away"))
    waits = []
    for _ in range(7):
        aged.turn()
        (row,) = aged.sql("SELECT failures, attempts, extract(epoch FROM due_at - now()) AS wait FROM schedule")
        waits.append(row.wait)
        aged.pass_time(timedelta(minutes=10))
    assert row.failures == 7
    assert row.attempts == 0
    assert waits[0] < 5
    assert waits[-1] > 60
    away.rename(folder)
    aged.settle()
    assert aged.tiers() == {"warm"}


def test_a_sweep_gives_over_in_time(house: House) -> None:
    """A sweep whose time is up says that there is more; its successor goes on with the same run."""
    for number in range(3):
        house.store(f"n{number}", b"%d" % number, age=timedelta(days=8))
    run = house.keeper.sweeps.rotate(caller=callers.BEAT)
    assert run is not None
    with pytest.raises(SweepAtWork, match=str(run)):
        house.keeper.sweeps.rotate(caller=callers.BEAT)
    first = house.keeper.sweeps.converge_due(run, deadline=time.monotonic() - 1)
    assert (first.more, first.counts) == (True, {})
    second = house.keeper.sweeps.converge_due(run)
    assert (second.more, second.counts) == (False, {"promoted_to_warm": 3})
    assert house.keeper.runs.get(run).state == "done"
    assert house.keeper.sweeps.converge_due(run) == SweepResult({}, 0, 0, more=False)


def test_a_dry_collect_deletes_nothing(aged: House) -> None:
    """A dry run of collect counts what would go, and leaves it all."""
    aged.turn()
    before = aged.everything(), aged.sql("SELECT id, state FROM placements ORDER BY id")
    assert aged.keeper.sweeps.collect(dry_run=True, caller=callers.BEAT).counts == {"collected": 1, survivors.LOOKS: 1}
    assert (aged.everything(), aged.sql("SELECT id, state FROM placements ORDER BY id")) == before
    assert aged.collect().counts["collected"] == 1


def test_collects_at_once_delete_once(aged: House) -> None:
    """A second collect leaves what a first one has marked, until that one's lease is over."""
    aged.turn()
    engine = aged.keeper.engine
    candidates = collect.step_1_pick(engine.catalog, [])
    seen = survivors.check_all(engine, candidates, away={}, caller=TESTER, dry_run=False).seen
    marked, _ = collect.step_2_mark(engine, new_id(), candidates, caller=TESTER, dry_run=False, seen=seen)
    assert len(marked) == 1
    assert aged.collect().counts == {}
    aged.pass_time(LEASES_END)
    assert aged.collect().counts["repeated"] == 1
    invariants.check_settled(aged.keeper)
