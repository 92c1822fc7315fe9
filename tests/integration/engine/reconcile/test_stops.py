"""A reconcile that finds more than can be true does nothing until somebody approves it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import sqlalchemy as sa
from support.callers import TESTER
from support.house import House
from support.locking import wait_for_a_lock
from support.reconciling import CONTENT, QUARANTINE, WEEK, late, reconcile

from tierkeeper.base.callers import Caller
from tierkeeper.base.states import RunState
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.values.findings import FindingKind, ReconcileResult
from tierkeeper_client.contract import StoreManyArgs


def late_ones(house: House, number: int) -> None:
    """Write so many orphans."""
    for _ in range(number):
        late(house)


def approve(house: House, result: ReconcileResult) -> None:
    """Approve what a reconcile asks for."""
    assert result.run is not None
    house.keeper.runs.approve(result.run, caller=Caller("kim"), reason="looked at")


def test_too_many_orphans_stop_it(any_house: House) -> None:
    """Above the limit nothing is deleted and a run awaits approval, one however often; approved, the next deletes."""
    house = any_house
    house.store(content=CONTENT)
    late_ones(house, 11)
    stopped, found = reconcile(house)
    assert (len(found), stopped.state) == (11, RunState.AWAITING_APPROVAL)
    assert stopped.held_back == "too much differs to be true: in warm 11 of 11, where the limit is 10"
    house.pass_time(QUARANTINE)
    again, _ = reconcile(house)
    assert (again.run, again.state) == (stopped.run, RunState.AWAITING_APPROVAL)
    assert len(list(house.keeper.engine.store("warm").list())) == 11
    assert [e.subject for e in house.keeper.events.select(type="braked")] == [stopped.run]
    approve(house, stopped)
    done, _ = reconcile(house)
    assert (done.state, done.counts["orphans deleted"]) == (RunState.DONE, 11)
    assert list(house.keeper.engine.store("warm").list()) == []
    assert house.keeper.runs.get(cast("Any", stopped.run)).state is RunState.DONE


def test_an_approval_is_for_what_was_seen(house: House) -> None:
    """More than was approved stops it again, and an approval serves one reconcile only."""
    late_ones(house, 11)
    stopped, _ = reconcile(house)
    approve(house, stopped)
    late_ones(house, 20)
    more, _ = reconcile(house)
    assert (more.state, more.held_back) == (
        RunState.AWAITING_APPROVAL,
        "too much differs to be true: in warm 31 of 31, where the limit is 21",
    )
    approve(house, more)
    assert reconcile(house)[0].state is RunState.DONE
    assert reconcile(house)[0].state is RunState.AWAITING_APPROVAL
    house.keeper.engine.store("warm").delete([ObjectKey(o.location) for o in house.keeper.engine.store("warm").list()])
    settled, _ = reconcile(house)
    assert settled.state is RunState.DONE
    (left,) = house.sql("SELECT count(*) AS n FROM runs WHERE state IN ('awaiting approval', 'approved')")
    assert left.n == 0


def test_a_tier_that_left_keeps_no_run_waiting(house: House) -> None:
    """No reconcile asks a tier that left the settings: what was found there needs no approval any more."""
    late_ones(house, 11)
    stopped, _ = reconcile(house)
    house.sql(
        """UPDATE runs SET arguments = arguments || '{"findings": {"left": 11}}' WHERE id = :id""", id=stopped.run
    )
    house.keeper.engine.store("warm").delete([ObjectKey(o.location) for o in house.keeper.engine.store("warm").list()])
    reconcile(house)
    assert house.keeper.runs.get(cast("Any", stopped.run)).state is RunState.DONE


def test_an_approval_is_not_for_what_comes_at_the_same_moment(house: House) -> None:
    """Numbers that arrive while somebody approves others wait for an approval of their own."""
    late_ones(house, 11)
    first, _ = reconcile(house)
    assert first.state is RunState.AWAITING_APPROVAL
    late_ones(house, 20)
    with ThreadPoolExecutor(1) as threads, house.keeper.engine.catalog.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE runs SET state = 'approved', approval = '{}' WHERE id = :run"), {"run": first.run}
        )
        second = threads.submit(lambda: reconcile(house)[0])
        with house.keeper.engine.catalog.engine.connect() as looking:
            wait_for_a_lock(looking, second, statement="UPDATE runs")
        connection.commit()
        result = second.result()
    assert (result.state, result.run != first.run) == (RunState.AWAITING_APPROVAL, True)
    (approved,) = house.sql("SELECT arguments -> 'findings' AS found FROM runs WHERE id = :run", run=first.run)
    assert approved.found == {"warm": 11}
    house.keeper.engine.store("warm").delete([ObjectKey(o.location) for o in house.keeper.engine.store("warm").list()])


def test_a_tier_that_is_suddenly_empty_stops_it(any_house: House) -> None:
    """When everything seems to be gone, it is the tier: no copy is reported, and all is well when it is back."""
    house = any_house
    for number in range(11):
        house.store(f"n{number}", b"%d" % number, age=WEEK)
    house.settle()
    warm = house.keeper.engine.stores["warm"]
    other = house.keeper.engine.stores["cold"]
    cast("dict[str, Store]", house.keeper.engine.stores)["warm"] = other
    result, found = reconcile(house)
    assert (result.state, {f.kind for f in found}) == (RunState.AWAITING_APPROVAL, {FindingKind.MISSING})
    cast("dict[str, Store]", house.keeper.engine.stores)["warm"] = warm
    assert [row.n for row in house.sql("SELECT count(*) AS n FROM placements WHERE damaged_at IS NOT NULL")] == [0]
    result, found = reconcile(house)
    assert (result.state, found) == (RunState.DONE, [])
    house.settle()


def test_one_in_a_hundred_is_believed(house: House) -> None:
    """In a large tier it is the share that counts: of 1500 copies 15 may be wrong, not 16."""
    args = [house.args(f"{n}", b"%d" % n) for n in range(1000)]
    house.keeper.artifacts.store_many(StoreManyArgs(items=args).items, caller=TESTER)
    args = [house.args(f"{n}", b"%d" % n) for n in range(1000, 1500)]
    house.keeper.artifacts.store_many(StoreManyArgs(items=args).items, caller=TESTER)
    for _ in range(15):
        late(house, "hot")
    assert reconcile(house)[0].held_back is None
    late(house, "hot")
    assert reconcile(house)[0].state is RunState.AWAITING_APPROVAL
    house.reset()
