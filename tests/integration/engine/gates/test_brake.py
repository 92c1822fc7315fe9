"""The brake: a purge of too much stops before the first artifact, and all else goes on."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from support import invariants
from support.braking import DRAFTS, fill, states, waiting
from support.house import House, OpenHouse

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import SweepAtWork
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Outcome, RunKind, RunState
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge import converge
from tierkeeper.values.artifacts import Ref


def test_as_many_as_the_limit_go(braked: House) -> None:
    """What reaches the limit exactly is deleted, and no run waits."""
    fill(braked, 10)
    assert braked.turn()["deleted"] == 10
    assert [run.kind.value for run in braked.keeper.runs.latest()] == ["rotate", "recompute"]


def test_one_more_stops_before_the_first(braked: House) -> None:
    """One more than the limit, and nothing is deleted; one run awaits approval and says why."""
    fill(braked, 11)
    assert "deleted" not in braked.turn()
    assert states(braked) == {"live": 11}
    assert braked.turn() == {}
    (run,) = [r for r in braked.keeper.runs.latest() if r.kind.value == "purge"]
    assert (run.state.value, run.counts["stopped"], run.arguments["limit"]) == ("awaiting approval", 11, 10)
    assert "delete 11 artifacts of acme" in run.reason
    assert run.arguments["policies"] == {"default v1": 11}
    assert len(run.arguments["samples"]) == 10
    assert braked.keeper.artifacts.explain(Ref("acme", "reports", "n/0")).blocked == (
        f"the brake: run {run.id} awaits approval",
    )
    invariants.check(braked.keeper)


def test_the_default_is_a_thousand_or_a_share(open_house: OpenHouse) -> None:
    """Of 1000 artifacts 999 go and one may follow; then, with 5 % below 1000, nothing more goes that day."""
    house = open_house()
    fill(house, 999)
    fill(house, 1, prefix="young", age=timedelta(days=1))
    assert house.turn()["deleted"] == 999
    fill(house, 2, prefix="more")
    assert house.turn() == {}
    assert states(house) == {"deleted": 999, "live": 3}
    assert "limit is 1000" in waiting(house).reason


def test_a_large_tenant_has_a_share(open_house: OpenHouse) -> None:
    """Where the share is more than the number, the share is the limit; what was deleted lately counts to the whole."""
    house = open_house(engine={"brake_share": 0.5, "brake_count": 3})
    fill(house, 10, prefix="young", age=timedelta(days=1))
    fill(house, 10)
    assert house.turn()["deleted"] == 10
    fill(house, 1, prefix="more")
    assert house.turn() == {}
    assert waiting(house).arguments["limit"] == 10


def test_all_else_goes_on(braked: House) -> None:
    """Other tenants' purges and the braked tenant's moves, restores, repairs and new artifacts do not wait."""
    fill(braked, 11)
    fill(braked, 10, tenant="other")
    braked.store("young", age=timedelta(days=8))
    counts = braked.turn()
    assert (counts["deleted"], counts["promoted_to_warm"]) == (10, 1)
    assert states(braked, "other") == {"deleted": 10}
    assert states(braked) == {"live": 12}
    braked.restore("n/3", to_tier="warm", days=1)
    assert braked.tiers("n/3") == {"cold", "warm"}
    assert braked.turn() == {}
    braked.purge("n/4")
    assert braked.show("n/4").state == "deleted"


def test_a_policy_edit_hits_it(open_house: OpenHouse) -> None:
    """A policy that comes to say zero days brakes 1500 artifacts before the first, and back again lets all be."""
    house = open_house()
    house.policy(DRAFTS.format(days=30))
    fill(house, 1500, age=timedelta(days=1))
    assert house.turn() == {}
    house.policy(DRAFTS.format(days=1))
    assert house.turn() == {}
    assert states(house) == {"live": 1500}
    assert waiting(house).counts["stopped"] == 1500
    house.policy(DRAFTS.format(days=30))
    house.turn()
    assert states(house) == {"live": 1500}
    assert house.keeper.runs.latest(kind=RunKind.PURGE)[0].state is RunState.DONE
    assert house.keeper.sweeps.due() == 0


def test_many_small_runs_are_one(braked: House) -> None:
    """Six and six are twelve within the day; a day later the next six go."""
    fill(braked, 6)
    assert braked.turn()["deleted"] == 6
    fill(braked, 6, prefix="more")
    assert braked.turn() == {}
    assert states(braked) == {"deleted": 6, "live": 6}
    braked.days_pass(1.01)
    assert braked.turn()["deleted"] == 6
    assert braked.keeper.runs.latest(kind=RunKind.PURGE)[0].state is RunState.DONE


def test_a_person_counts_nowhere(braked: House) -> None:
    """Purges of single artifacts by hand are no policy's, however many, and leave its day untouched."""
    fill(braked, 15, age=timedelta(days=1))
    for number in range(15):
        braked.purge(f"n/{number}")
    fill(braked, 10, prefix="old")
    assert braked.turn()["deleted"] == 10


def test_a_policy_has_its_own(braked: House) -> None:
    """A policy's own brake is for what it deletes, and the others' limit is not touched by it; off is no limit."""
    braked.policy(DRAFTS.format(days=2) + "brake: {count: 3}\n")
    fill(braked, 4)
    fill(braked, 10, workflow="elsewhere")
    assert braked.turn()["deleted"] == 10
    run = waiting(braked)
    assert (run.counts["stopped"], run.arguments["policy"], run.arguments["limit"]) == (4, "drafts", 3)
    braked.policy(DRAFTS.format(days=2) + "brake: off\n")
    assert braked.turn()["deleted"] == 4
    assert braked.keeper.runs.get(run.id).state is RunState.DONE


def test_surplus_versions_are_braked(braked: House) -> None:
    """Versions beyond those that a policy keeps are deleted by it, and count."""
    for number in range(12):
        braked.store("one", b"%d" % number)
    braked.policy("name: few\nmatch: {workflow: reports}\nphases: [{after: 0d, in: [hot]}]\nversions: {keep: 1}\n")
    assert braked.turn() == {}
    assert states(braked) == {"live": 12}
    assert waiting(braked).counts["stopped"] == 11


def test_a_claim_of_before_does_not_slip_past(braked: House) -> None:
    """A worker that claimed before the brake was on decides again at its commit, and moves instead."""
    fill(braked, 4)
    engine = braked.keeper.engine
    worker = Worker(token=new_id(), caller=callers.BEAT)
    claimed = converge.claim_due(engine, worker, tenant=None)
    fill(braked, 8, prefix="more")
    report = converge.converge(engine, worker, claimed)
    assert {r.label for r in report.outcomes.values()} == {"promoted_to_cold"}
    assert "awaits approval" in next(iter(report.outcomes.values())).detail
    assert states(braked) == {"live": 12}
    assert braked.turn() == {}


def test_stopped_at_the_commit_it_waits_and_counts(braked: House) -> None:
    """What only the commit finds to be too much waits as it is; the next sweep does not take the brake off again."""
    fill(braked, 4)
    engine = braked.keeper.engine
    worker = Worker(token=new_id(), caller=callers.BEAT)
    ids = [claimed.artifact for claimed in converge.claim_due(engine, worker, tenant=None)]
    assert not converge.step_2_decide(engine, ids).lacking
    fill(braked, 7, prefix="more")
    results, _ = converge.step_5_commit(engine, worker, ids, [], set())
    assert {(r.outcome, r.label) for r in results.values()} == {(Outcome.REFUSED, "refused")}
    run = waiting(braked)
    assert braked.turn() == {}
    assert (waiting(braked).id, states(braked)) == (run.id, {"live": 11})


def test_stale_rows_are_counted_when_they_show(braked: House) -> None:
    """Rows of the schedule that do not tell of a deletion are found out at the commit, and counted there."""
    fill(braked, 11)
    braked.sql("UPDATE schedule SET deletes = NULL, step = 'move to warm'")
    counts = braked.turn()
    assert counts.get("deleted", 0) <= 10
    assert states(braked)["live"] >= 1
    assert waiting(braked)


@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
def test_sweeps_at_once_do_not_slip_past(braked: House, told: bool) -> None:  # noqa: FBT001  a parameter of the test
    """Four threads that sweep and store at once never delete more than the limit."""
    fill(braked, 9)
    if not told:
        braked.sql("UPDATE schedule SET deletes = NULL")
    start = threading.Barrier(4)

    def sweep(number: int) -> None:
        start.wait()
        fill(braked, 2, prefix=f"thread {number}")
        if not told:
            braked.sql("UPDATE schedule SET deletes = NULL WHERE braked_by IS NULL AND lease_until IS NULL")
        for _ in range(3):
            with suppress(SweepAtWork):
                if (run := braked.keeper.sweeps.rotate(caller=Caller(f"{number}"))) is not None:
                    braked.keeper.sweeps.converge_due(run)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(sweep, range(4)))
    assert states(braked)["deleted"] <= 10
    braked.turn()
    assert states(braked)["deleted"] <= 10
    assert waiting(braked)


def test_a_read_releases(braked: House) -> None:
    """What is read becomes young again by its policy's clock: it leaves the brake and is not deleted."""
    phases = "phases: [{after: 0d, in: [hot]}, {after: 9d, in: []}]\n"
    braked.policy(f"name: used\nmatch: {{workflow: reports}}\nclock: accessed\n{phases}")
    fill(braked, 11)
    braked.turn()
    run = waiting(braked)
    assert braked.read("n/0")
    braked.keeper._access.flush()  # otherwise written in batches
    braked.turn()
    assert braked.keeper.runs.get(run.id).state is RunState.DONE
    assert states(braked) == {"deleted": 10, "live": 1}


def test_no_age_ends_what_was_stopped(braked: House) -> None:
    """Its artifacts wait for an answer, however long; their run ends with it, or once they are no more too many."""
    fill(braked, 11)
    braked.turn()
    run = waiting(braked)
    braked.sql("UPDATE runs SET seen_at = seen_at - interval '99 days' WHERE id = :id", id=run.id)
    braked.keeper.sweeps.maintain(caller=callers.BEAT)
    assert waiting(braked).id == run.id
    braked.purge("n/0")
    braked.turn()
    assert braked.keeper.runs.get(run.id).state is RunState.DONE


def test_an_undelete_gives_back(braked: House) -> None:
    """What was undeleted does not count for the day any more."""
    fill(braked, 10)
    assert braked.turn()["deleted"] == 10
    for number in range(3):
        braked.undelete(f"n/{number}")
    fill(braked, 3, prefix="more")
    assert braked.turn()["deleted"] == 3


def test_a_new_version_leaves_what_was_decided(braked: House) -> None:
    """A store that finds older versions surplus already leaves them stopped, or approved, as they are."""
    for number in range(12):
        braked.store("one", b"%d" % number)
    braked.policy("name: few\nmatch: {workflow: reports}\nphases: [{after: 0d, in: [hot]}]\nversions: {keep: 1}\n")
    braked.turn()
    run = waiting(braked).id
    braked.store("one", b"stopped")
    assert braked.sql("SELECT count(*) AS n FROM schedule WHERE braked_by = :run", run=run)[0].n == 11
    braked.keeper.runs.approve(run, caller=Caller("kim"), reason="yes")
    braked.store("one", b"approved")
    assert braked.turn()["deleted"] == 13
    assert braked.keeper.runs.get(run).state is RunState.DONE


def test_one_that_cannot_be_looked_at_stops_nobody(braked: House) -> None:
    """A waiting run that the sweep stumbles over holds up neither other tenants nor the sweep, and deletes nothing."""
    fill(braked, 11)
    braked.turn()
    braked.sql("UPDATE runs SET arguments = arguments - 'limit' WHERE id = :id", id=waiting(braked).id)
    fill(braked, 10, tenant="other")
    braked.store("young", age=timedelta(days=8))
    counts = braked.turn()
    assert (counts["deleted"], counts["promoted_to_warm"]) == (10, 1)
    assert states(braked) == {"live": 12}
