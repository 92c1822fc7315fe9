"""The catalog's clock was ahead for a while: what it wrote then counts as fresh nowhere, is listed, and is cleared."""

# ruff: noqa: S608  the statements are made of constants

from datetime import timedelta
from uuid import uuid4

import pytest
from support.callers import TESTER
from support.house import House

from tierkeeper.base import callers
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState, RunKind
from tierkeeper.catalog import heartbeats, runs
from tierkeeper.catalog.database import catalog_now
from tierkeeper.values.health import Condition
from tierkeeper.values.parking import Sent

YEAR = "clock_timestamp() + interval '1 year'"


@pytest.fixture
def due(house: House) -> House:
    """An artifact that is due."""
    house.store("a", age=timedelta(days=10))
    return house


def test_a_lease_and_a_run(due: House) -> None:
    """A worker died while the clock was ahead: its lease is over, its run lives no more, and the rotation goes on."""
    catalog = due.keeper.engine.catalog
    run = catalog.run(TESTER, runs.begin, RunKind.ROTATE, actor="dead")
    due.sql(f"UPDATE schedule SET lease_token = :token, lease_until = {YEAR}", token=uuid4())
    due.sql(f"UPDATE runs SET seen_at = {YEAR} WHERE id = :id", id=run)
    overdue = next(v for v in due.keeper.health.check(tiers=False).vitals if v.name == "overdue")
    assert overdue.value is not None
    assert overdue.value > 0
    due.turn()
    assert due.tiers() == {"warm"}
    due.keeper.sweeps.maintain(caller=TESTER)
    assert {row.state for row in due.sql("SELECT state FROM runs WHERE id = :id", id=run)} == {"abandoned"}


def test_an_intent(due: House) -> None:
    """A copy that a dead worker began is made by the next, and collect takes the intent after a usual lease."""
    due.sql(
        "INSERT INTO placements (id, blob_id, tier, location, state, token, lease_until, made_at)"
        f" SELECT :id, blob_id, 'warm', 'gone', 'copying', :token, {YEAR}, now() FROM artifacts",
        id=new_id(),
        token=uuid4(),
    )
    due.turn()
    assert due.tiers() == {"warm"}
    due.collect()
    due.pass_time(timedelta(minutes=10))
    due.settle()
    assert due.sql("SELECT FROM placements WHERE location = 'gone'") == []


def test_a_message_and_a_canary(house: House) -> None:
    """A message that waits until that day is sent now, and a canary of that day is no sign of life."""
    catalog = house.keeper.engine.catalog
    sent = Sent("tierkeeper.store", "k", {"tenant": "acme"}, {})
    house.keeper.deliveries.wait(sent, reason="away")
    assert list(house.keeper.deliveries.due()) == []
    house.sql(f"UPDATE deliveries SET due_at = {YEAR}")
    assert [message.key for message in house.keeper.deliveries.due()] == ["k"]
    assert list(house.keeper.deliveries.due()) == []
    catalog.run(callers.BEAT, heartbeats.canary, "ingest", sent_at=None, apart=timedelta(hours=1))
    house.sql(f"UPDATE heartbeats SET at = {YEAR}")
    vitals = {vital.name: vital for vital in house.keeper.health.check(tiers=False).vitals}
    assert vitals["canary ingest"].condition is vitals["beat"].condition is Condition.BAD


def test_they_are_listed_and_cleared(due: House) -> None:
    """`doctor` counts them, and clears what no usual lease, pause or retry sets; what a policy says stays."""
    due.sql(f"UPDATE schedule SET lease_until = {YEAR}, due_at = {YEAR}, failures = 1")
    due.sql(f"UPDATE placements SET verified_at = {YEAR}")
    due.sql(f"UPDATE artifacts SET accessed_at = {YEAR}")
    due.store("later", b"later")
    due.sql(f"UPDATE schedule SET due_at = {YEAR} WHERE artifact_id = :id", id=due.show("later").id)
    found = {check.check: check for check in due.keeper.recovery.examine()}["times from the future"]
    assert (found.condition, found.found.split(",")[0]) == (Condition.ATTENTION, "4")
    expected = dict.fromkeys(
        ("schedule.lease_until", "schedule.due_at", "placements.verified_at", "artifacts.accessed_at"), 1
    )
    assert due.keeper.recovery.clear_future(caller=TESTER, reason="a test", dry_run=True) == expected
    assert due.keeper.recovery.clear_future(caller=TESTER, reason="a test") == expected
    assert due.keeper.recovery.clear_future(caller=TESTER, reason="a test") == {}
    [(after,)] = due.sql("SELECT after FROM events WHERE type = 'times_cleared'")
    assert after == {"columns": expected, "reason": "a test"}
    with due.keeper.engine.catalog.reading() as connection:
        due_at = due.show("later").due_at
        assert due_at is not None
        assert due_at > catalog_now(connection) + timedelta(days=300)
    due.turn()
    assert due.tiers() == {"warm"}


def test_a_read_in_the_future_makes_nothing_due(house: House) -> None:
    """Nobody knows when it was read: once cleared, it counts as read just now, and what follows is decided again."""
    phases = "phases: [{after: 0d, in: [hot]}, {after: 9d, in: []}]\n"
    house.policy(f"name: used\nmatch: {{workflow: reports}}\nclock: accessed\n{phases}")
    house.store("used", age=timedelta(days=40))
    house.sql(f"UPDATE artifacts SET accessed_at = {YEAR}")
    house.sql(f"UPDATE schedule SET due_at = {YEAR}")
    house.turn()
    assert house.keeper.recovery.clear_future(caller=TESTER, reason="a test") == {"artifacts.accessed_at": 1}
    house.turn()
    assert house.show("used").state is ArtifactState.LIVE
    house.days_pass(8)
    house.turn()
    assert house.show("used").state is ArtifactState.LIVE
    house.days_pass(2)
    house.turn()
    assert house.show("used").state is ArtifactState.DELETED


def test_a_run_of_that_day_is_not_the_newest(house: House) -> None:
    """It stays on top of no list; cleared, it began just now, and ends in its time like others."""
    catalog, before = house.keeper.engine.catalog, house.keeper.runs.latest()
    ahead = catalog.run(TESTER, runs.begin, RunKind.ROTATE, actor="ahead")
    house.sql(f"UPDATE runs SET started_at = {YEAR}, finished_at = {YEAR}, state = 'done' WHERE id = :id", id=ahead)
    right = [catalog.run(TESTER, runs.begin, RunKind.ROTATE, actor="right") for _ in range(2)]
    for kind, older in ((None, [run.id for run in before]), (RunKind.ROTATE, [])):
        assert [run.id for run in house.keeper.runs.latest(kind=kind)] == [*reversed(right), *older, ahead]
        assert [run.id for run in house.keeper.runs.latest(kind=kind, limit=2)] == [*reversed(right)]
    cleared = house.keeper.recovery.clear_future(caller=TESTER, reason="a test")
    assert cleared == {"runs.started_at": 1, "runs.finished_at": 1}
    assert house.keeper.runs.latest(limit=1)[0].id == ahead


def test_a_plan_of_that_day_is_not_the_newest(due: House) -> None:
    """It was decided by a time that has not come: once cleared, it is over."""
    plans = due.keeper.plans
    view = plans.view(tenant=None, as_of=None)
    ahead, right = (plans.store(view, caller=TESTER, expires=timedelta(days=7)).id for _ in range(2))
    due.sql(f"UPDATE plans SET made_at = {YEAR}, expires_at = {YEAR} WHERE id = :id", id=ahead)
    assert [plan.id for plan in plans.latest()] == [right, ahead]
    assert due.keeper.recovery.clear_future(caller=TESTER, reason="a test") == {"plans.made_at": 1}
    [(over,)] = due.sql("SELECT expires_at <= clock_timestamp() FROM plans WHERE id = :id", id=ahead)
    assert over
