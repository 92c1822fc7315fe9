"""What an operator decides about a stopped purge: exactly what was counted goes, or stays."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from support.braking import fill, said, states, waiting
from support.callers import TESTER
from support.house import House

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import BrakeOn, RunGrew, RunNotAwaiting, RunNotFound
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import brake_counts
from tierkeeper.engine.gates import approval


def test_approval_lets_exactly_those_go(braked: House) -> None:
    """What was counted goes, what came due later is judged anew; then the run is done and counts nowhere."""
    fill(braked, 11)
    braked.turn()
    run = waiting(braked)
    fill(braked, 5, prefix="later")
    braked.keeper.runs.approve(run.id, caller=Caller("kim"), reason="looked at it")
    fill(braked, 4, prefix="after")
    assert braked.turn()["deleted"] == 11 + 9
    assert states(braked) == {"deleted": 20}
    done = braked.keeper.runs.get(run.id)
    assert (done.state, *said(done)) == (RunState.DONE, "kim", "looked at it")
    assert [e.type for e in braked.keeper.events.select(ref=None, newest_first=False) if e.subject == run.id] == [
        "braked",
        "approved",
    ]


def test_what_came_later_may_be_too_much_again(braked: House) -> None:
    """An approval is for what was counted: of what came due later too much stops again, in a run of its own."""
    fill(braked, 11)
    braked.turn()
    first = waiting(braked)
    fill(braked, 12, prefix="later", age=timedelta(days=95))
    braked.keeper.runs.approve(first.id, caller=Caller("kim"), reason="looked at it")
    assert braked.turn()["deleted"] == 11
    assert waiting(braked).id != first.id
    assert states(braked) == {"deleted": 11, "live": 12}


def test_rejection_keeps_them(braked: House) -> None:
    """What was rejected goes where it now belongs and stays for the pin; a person may purge it all the same."""
    fill(braked, 11)
    braked.turn()
    run = waiting(braked)
    braked.keeper.runs.reject(run.id, caller=Caller("kim"), reason="no")
    assert braked.turn() == {"promoted_to_cold": 11}
    assert braked.turn() == {}
    assert states(braked) == {"live": 11}
    assert braked.events("n/0")[-2:] == ["pinned", "moved"]
    assert "no policy deletes it before" in str(braked.keeper.artifacts.explain(braked.ref("n/0")).blocked)
    braked.purge("n/1")
    assert braked.show("n/1").state == "deleted"
    braked.days_pass(29)
    braked.turn()
    assert braked.show("n/0").state == "live"
    braked.days_pass(1.1)
    assert braked.turn()["deleted"] == 10


def test_an_approval_is_for_what_was_seen(braked: House) -> None:
    """A run that grew since somebody looked is not approved with the number of then; nothing goes."""
    fill(braked, 11)
    braked.turn()
    run = waiting(braked).id
    fill(braked, 5, prefix="later")
    braked.turn()
    with pytest.raises(RunGrew, match="16 by now"):
        braked.keeper.runs.approve(run, caller=Caller("kim"), reason="yes", at_most=11)
    assert waiting(braked).id == run
    assert states(braked) == {"live": 16}
    braked.keeper.runs.approve(run, caller=Caller("kim"), reason="yes", at_most=16)
    assert braked.turn()["deleted"] == 16


def test_decisions_are_made_once(braked: House) -> None:
    """The same decision twice is one; another, or about a run that waits for none, is a typed error."""
    keeper = braked.keeper
    fill(braked, 11)
    braked.turn()
    run = waiting(braked).id
    keeper.runs.reject(run, caller=Caller("kim"), reason="no")
    assert said(keeper.runs.reject(run, caller=Caller("ada"), reason="no!")) == ("kim", "no")
    with pytest.raises(RunNotAwaiting, match="rejected"):
        keeper.runs.approve(run, caller=Caller("kim"), reason="yes")
    with pytest.raises(RunNotFound):
        keeper.runs.approve(new_id(), caller=Caller("kim"), reason="yes")
    (done, *_) = braked.keeper.runs.latest(kind=RunKind.RECOMPUTE)
    with pytest.raises(RunNotAwaiting, match="done"):
        keeper.runs.approve(done.id, caller=Caller("kim"), reason="yes")


def test_an_approval_of_a_command_ends(braked: House) -> None:
    """A purge by filter that was approved and not given again within the window asks anew."""
    keeper = braked.keeper

    def allow() -> None:
        keeper.artifacts.allow_purge({"acme": 11}, described="workflow w", samples=["acme/w/a"], caller=TESTER)

    with pytest.raises(BrakeOn, match="11 artifacts of acme"):
        allow()
    first = waiting(braked)
    keeper.runs.approve(first.id, caller=Caller("kim"), reason="yes")
    braked.sql(
        "UPDATE runs SET approval = jsonb_set(approval, '{at}', to_jsonb(now() - interval '25 hours')) WHERE id = :id",
        id=first.id,
    )
    before = braked.sql("SELECT * FROM runs ORDER BY id")
    assert keeper.artifacts.braked_purge({"acme": 11}, described="workflow w").keys() == {"acme"}
    assert braked.sql("SELECT * FROM runs ORDER BY id") == before  # to foresee is to change nothing
    with pytest.raises(BrakeOn):
        allow()
    assert waiting(braked).id != first.id
    keeper.runs.approve(waiting(braked).id, caller=Caller("kim"), reason="yes, now")
    allow()
    with pytest.raises(BrakeOn):
        allow()


@pytest.mark.parametrize("state", [RunState.APPROVED, RunState.REJECTED])
def test_a_decision_that_died_goes_on(braked: House, state: RunState) -> None:
    """A crash right after a decision leaves the artifacts held; the next sweep carries it out."""
    fill(braked, 11)
    braked.turn()
    run = waiting(braked).id
    approval.step_1_decide(braked.keeper.engine, run, state, caller=Caller("kim"), reason="yes")  # its first step alone
    assert states(braked) == {"live": 11}
    counts = braked.turn()
    assert counts.get("deleted", 0) == (11 if state is RunState.APPROVED else 0)
    assert ("deleted" if state is RunState.APPROVED else "pinned") in braked.events("n/3")


def test_a_sweep_pins_in_the_name_of_who_rejected(braked: House) -> None:
    """What a rejection left undone is done by a sweep: the audit log has who rejected, and why."""
    fill(braked, 11)
    braked.turn()
    run = waiting(braked).id
    approval.step_1_decide(braked.keeper.engine, run, RunState.REJECTED, caller=Caller("kim"), reason="not yet")
    braked.turn()
    pinned = [event for event in braked.keeper.events.select(type="pinned") if event.run == run]
    assert {(event.actor, (event.after or {})["reason"]) for event in pinned} == {("kim", "not yet")}


def test_an_approval_does_not_open_holds(braked: House) -> None:
    """What is held is not deleted, approved or not; the others go."""
    fill(braked, 11)
    braked.turn()
    braked.hold("n/0")
    braked.keeper.runs.approve(waiting(braked).id, caller=Caller("kim"), reason="yes")
    assert braked.turn()["deleted"] == 10
    assert braked.show("n/0").state == "live"


def test_the_whole_way_after_an_approval(braked: House) -> None:
    """Approved, deleted, purged, destroyed: everything settles, and each artifact has its receipt."""
    fill(braked, 11)
    braked.turn()
    braked.keeper.runs.approve(waiting(braked).id, caller=Caller("kim"), reason="yes")
    braked.turn()
    braked.days_pass(7.1)
    braked.settle()
    assert braked.everything() == []
    assert braked.events("n/3") == ["stored", "deleted", "purged", "destroyed"]
    (deleted,) = [e for e in braked.keeper.events.select(ref=braked.ref("n/3")) if e.type == "deleted"]
    assert "approved" in (deleted.after or {})


def test_an_approval_carried_out_twice_at_once_is_whole(braked: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that carries out an approval beside the operator's command gives nothing of it back unapproved."""
    monkeypatch.setattr(approval, "_BATCH", 4)
    fill(braked, 11)
    braked.turn()
    engine = braked.keeper.engine
    run = waiting(braked).id
    approval.step_1_decide(engine, run, RunState.APPROVED, caller=Caller("kim"), reason="yes")
    upto = approval._key(braked.keeper.runs.get(run))
    assert upto is not None
    with ThreadPoolExecutor(1) as threads:
        with engine.catalog.engine.begin() as connection:
            brake_counts.let_go(connection, run, upto=upto, limit=4)
            other = threads.submit(approval.step_2_carry_out, engine, run, caller=TESTER)
            assert not wait([other], timeout=1).done  # it waits for the same rows
        other.result()
    assert braked.sql("SELECT count(*) AS n FROM schedule WHERE approved_by = :run", run=run)[0].n == 11
