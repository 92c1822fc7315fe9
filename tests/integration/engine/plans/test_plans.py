"""Plans over everything, as of any time and by any policy; stored, and applied to what is as it was."""

from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import pytest
from support.callers import TESTER
from support.crashing import Crash
from support.house import House, OpenHouse
from support.leading import away

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import PlanNotFound, PlanUnusable, PolicyInvalid
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Outcome, RunKind, RunState
from tierkeeper.engine.converge import converge
from tierkeeper.engine.plans import apply
from tierkeeper.engine.plans.preview import View
from tierkeeper.engine.plans.stored import Summary
from tierkeeper.values.plans import AppliedItem, PlanItemView

WEEK = timedelta(days=7)
SOON = """\
name: reports
match: {workflow: reports}
phases: [{after: 0d, in: [hot]}, {after: 1d, in: [cold]}, {after: 2d, in: []}]
"""


def planned(house: House, *, ahead: float | None = None, policies: str | None = None) -> dict[str, PlanItemView]:
    """What a plan says, by name; ``ahead``: as of so many days from now."""
    as_of = None if ahead is None else datetime.now(UTC) + timedelta(days=ahead)
    view = house.keeper.plans.view(tenant=None, as_of=as_of, policies=policies, source="p.yaml")
    return {item.ref.name: item for item in house.keeper.plans.items(view, Summary())}


def stored(house: House, *, ahead: float | None = None, policies: str | None = None) -> UUID:
    """The id of a plan that was stored."""
    as_of = None if ahead is None else datetime.now(UTC) + timedelta(days=ahead)
    view = house.keeper.plans.view(tenant=None, as_of=as_of, policies=policies, source="p.yaml")
    return house.keeper.plans.store(view, caller=TESTER, expires=WEEK).id


def applied(house: House, plan: UUID, *, dry_run: bool = False) -> dict[str, AppliedItem]:
    """What became of each item, by name."""
    return {item.ref.name: item for item in house.keeper.plans.apply(plan, caller=TESTER, dry_run=dry_run)}


def trace(house: House) -> list[object]:
    """Everything that a dry run must not change."""
    return [
        house.sql("SELECT id, state, wanted, revision FROM artifacts ORDER BY id"),
        house.sql("SELECT * FROM schedule ORDER BY artifact_id"),
        house.sql("SELECT count(*) FROM events"),
        house.sql("SELECT count(*) FROM runs"),
        house.everything(),
    ]


def test_a_plan_is_over_everything(house: House) -> None:
    """It has what would be done to whom at that time, and nothing about what stays as it is."""
    house.store("young")
    house.store("warm", b"warm", age=timedelta(days=20))
    house.turn()
    assert planned(house) == {}
    ahead = planned(house, ahead=11)
    assert {name: (item.action, item.target) for name, item in ahead.items()} == {
        "young": ("move", ("warm",)),
        "warm": ("move", ("cold",)),
    }
    assert {item.action for item in planned(house, ahead=200).values()} == {"delete"}


def test_refusals_have_their_reasons(house: House) -> None:
    """What is held, or has no readable clock by the candidate, is in it with the reason."""
    house.store("held", age=timedelta(days=100))
    house.hold("held")
    house.store("undated", b"undated", workflow="dated")
    dated = "name: dated\nmatch: {workflow: dated}\nclock: metadata:signed\nphases: [{after: 0d, in: [hot]}]\n"
    found = planned(house, policies=dated)
    assert found["held"].blocked == ('hold "lawsuit"',)
    assert "signed" in found["undated"].blocked[0]


def test_a_candidate_is_planned_with_and_changes_nothing(house: House) -> None:
    """A policy that is not active decides in the plan, with the version it would get; bad ones are refused."""
    house.store("a", age=timedelta(days=1.5))
    house.store("b", b"b", age=timedelta(days=3))
    before = trace(house)
    found = planned(house, policies=SOON)
    assert {name: (item.action, item.policy) for name, item in found.items()} == {
        "a": ("move", "reports v1"),
        "b": ("delete", "reports v1"),
    }
    with pytest.raises(PolicyInvalid, match="no tier"):
        planned(house, policies=SOON.replace("cold", "nowhere"))
    assert trace(house) == before


def test_an_apply_does_what_is_as_it_was(house: House) -> None:
    """Unchanged items are done; what changed, is held, or is not due is left, each with its reason; once."""
    for number, name in enumerate(("same", "changed", "held", "other")):
        house.store(name, b"%d" % number, age=timedelta(days=8))
    house.store("later", b"later", age=timedelta(days=1))
    plan = stored(house, ahead=10)
    house.promote("changed", "cold")
    house.hold("held")
    before = trace(house)
    tried = applied(house, plan, dry_run=True)
    assert trace(house) == before
    done = applied(house, plan)
    assert {n: i.outcome for n, i in tried.items()} == {n: i.outcome for n, i in done.items()}
    assert (done["same"].outcome, house.tiers("same")) == (Outcome.DONE, {"warm"})
    assert (done["other"].outcome, house.tiers("other")) == (Outcome.DONE, {"warm"})
    assert "changed since" in done["changed"].detail
    assert done["held"].outcome is Outcome.DONE  # a hold does not stop a move
    assert "not due yet" in done["later"].detail
    assert house.tiers("later") == {"hot"}
    (run,) = house.keeper.runs.latest(kind=RunKind.APPLY)
    assert (run.counts["promoted_to_warm"], run.state.value) == (3, "done")
    with pytest.raises(PlanUnusable, match="applied it already"):
        applied(house, plan)


def test_held_meanwhile(house: House) -> None:
    """A deletion that a hold came to forbid is left, with the hold's name."""
    house.store("a", age=timedelta(days=100))
    plan = stored(house)
    house.hold("a")
    assert 'hold "lawsuit"' in applied(house, plan)["a"].detail
    assert house.show("a").state == "live"


def test_another_policy_governs(house: House) -> None:
    """Items whose governing policy is another version now are left."""
    house.store("a", age=timedelta(days=8))
    plan = stored(house)
    house.policy(SOON.replace("1d", "5d").replace("2d", "9d"))
    assert "the policy changed" in applied(house, plan)["a"].detail
    assert house.tiers("a") == {"hot"}


def test_a_candidates_plan_waits_for_its_policy(house: House) -> None:
    """Such a plan is refused until exactly its policy is active, and then does what it says."""
    house.store("a", age=timedelta(days=1.5))
    plan = stored(house, policies=SOON)
    with pytest.raises(PlanUnusable, match="policy apply"):
        applied(house, plan)
    house.policy(SOON.replace("2d", "3d"))
    with pytest.raises(PlanUnusable, match="not active so"):
        applied(house, plan)
    again = stored(house, policies=SOON)
    house.policy(SOON)
    assert applied(house, again)["a"].outcome is Outcome.DONE
    assert house.tiers("a") == {"cold"}


def test_what_cannot_be_applied(house: House) -> None:
    """Unknown, expired and unfinished plans are typed errors that say what to do."""
    house.store("a", age=timedelta(days=8))
    with pytest.raises(PlanNotFound):
        applied(house, new_id())
    plan = stored(house)
    house.sql("UPDATE plans SET summary = '{}' WHERE id = :id", id=plan)
    with pytest.raises(PlanUnusable, match="never finished"):
        applied(house, plan)
    plan = stored(house)
    house.sql("UPDATE plans SET expires_at = now() WHERE id = :id", id=plan)
    with pytest.raises(PlanUnusable, match="expired at"):
        applied(house, plan)
    assert house.tiers("a") == {"hot"}


def test_an_apply_that_died_goes_on(open_house: OpenHouse) -> None:
    """After a crash the plan is applied from where it stood, when its run is silent; nothing is done twice."""
    house = open_house(engine={"batch": 2})
    for number in range(5):
        house.store(f"n{number}", b"%d" % number, age=timedelta(days=8))
    plan = stored(house)
    half = cast("Generator[AppliedItem, None, None]", house.keeper.plans.apply(plan, caller=TESTER))
    next(half)
    with pytest.raises(Crash):
        half.throw(Crash())
    with pytest.raises(PlanUnusable, match="is applying it"):
        applied(house, plan)
    house.pass_time(timedelta(minutes=6))
    assert len(applied(house, plan)) == 3
    assert all(house.events(f"n{number}").count("moved") == 1 for number in range(5))
    assert len(house.keeper.runs.latest(kind=RunKind.APPLY)) == 1


def test_an_interrupted_apply_leaves_its_items_in_the_plan(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a copy: the next apply says of the leased items that they wait, and the plan has them still to do."""
    house = open_house(engine={"batch": 2})
    for number in range(5):
        house.store(f"n{number}", b"%d" % number, age=timedelta(days=8))
    plan = stored(house)

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(converge, "step_4_copy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            applied(house, plan)
    done = applied(house, plan)
    assert Counter(item.outcome for item in done.values()) == {Outcome.RETRY: 2, Outcome.DONE: 3}
    waiting = {name for name, item in done.items() if item.outcome is Outcome.RETRY}
    run = house.keeper.runs.latest(kind=RunKind.APPLY)[0]
    assert run.state is RunState.FAILED
    assert run.reason == "2 of the plan's items were leased by another worker: apply it again"
    house.pass_time(timedelta(minutes=2))
    last = applied(house, plan)
    assert {name: item.outcome for name, item in last.items()} == dict.fromkeys(waiting, Outcome.DONE)
    assert all(house.tiers(f"n{number}") == {"warm"} for number in range(5))
    assert house.keeper.runs.latest(kind=RunKind.APPLY)[0].state is RunState.DONE


def test_a_parked_item_is_left_and_said_so(house: House) -> None:
    """No worker leases a parked artifact, so the plan does not wait for it."""
    house.store("a", age=timedelta(days=8))
    plan = stored(house)
    house.sql("UPDATE schedule SET parked_reason = 'given up after 5 attempts'")
    item = applied(house, plan)["a"]
    assert item.outcome is Outcome.NOTHING
    assert item.detail.startswith("parked: given up after 5 attempts.")
    assert house.keeper.runs.latest(kind=RunKind.APPLY)[0].state is RunState.DONE


def test_an_item_that_a_store_refused_is_retried_by_its_schedule(house: House) -> None:
    """It was tried, which is its outcome: the plan is applied, and the sweep does the item when the store is back."""
    house.store("a", age=timedelta(days=8))
    plan = stored(house)
    with away(house, "warm", "missing"):
        assert applied(house, plan)["a"].outcome is Outcome.RETRY
    assert house.keeper.runs.latest(kind=RunKind.APPLY)[0].state is RunState.DONE
    house.pass_time(timedelta(minutes=10))
    house.turn()
    assert house.tiers("a") == {"warm"}


def test_the_brake_is_asked(open_house: OpenHouse) -> None:
    """The plan says where the brake would ask; its apply does not go past it."""
    house = open_house(engine={"brake_share": 0, "brake_count": 3})
    for number in range(4):
        house.store(f"n{number}", b"%d" % number, age=timedelta(days=89))
    keeper = house.keeper
    view = keeper.plans.view(tenant="acme", as_of=datetime.now(UTC) + timedelta(days=2))
    kept = keeper.plans.store(view, caller=TESTER, expires=WEEK)
    assert kept.summary["brake"] == [{"tenant": "acme", "policy": "", "deletes": 4, "recent": 0, "limit": 3}]
    (line,) = kept.summary["rules"]
    assert (line["action"], line["artifacts"], len(line["samples"])) == ("delete", 4, 3)
    house.turn()
    house.days_pass(2)
    plan = stored(house)
    done = applied(house, plan)
    assert all("asks first" in item.detail for item in done.values())
    assert {house.show(name).state.value for name in done} == {"live"}


def test_old_plans_go(house: House) -> None:
    """A plan is forgotten some time after it expired, with its items."""
    house.store("a", age=timedelta(days=8))
    plan = stored(house)
    house.keeper.sweeps.maintain(caller=callers.BEAT)
    assert [p.id for p in house.keeper.plans.latest()] == [plan]
    house.sql("UPDATE plans SET expires_at = now() - interval '91 days'")
    house.keeper.sweeps.maintain(caller=callers.BEAT)
    assert house.keeper.plans.latest() == []
    assert house.sql("SELECT count(*) FROM plan_items")[0][0] == 0


def test_a_summary_stays_small(house: House) -> None:
    """However many rules there are (each artifact may have its own), the sums of a plan do not grow with them."""
    house.store()
    (item,) = planned(house, ahead=10).values()
    summary = Summary()
    for number in range(1000):
        summary.add(replace(item, rule=f"deleted, purged at {number}"))
    with house.keeper.engine.catalog.reading() as connection:
        rules = summary.as_json(connection, house.keeper.engine, View())["rules"]
    assert len(rules) <= 101
    assert sum(line["artifacts"] for line in rules) == 1000


def test_a_silent_apply_is_taken_up_once(house: House) -> None:
    """Of two that find the plan's run silent one goes on with it; the other is refused."""
    house.store(age=timedelta(days=8))
    plan = stored(house)
    applied(house, plan)
    house.sql("UPDATE runs SET state = 'running', finished_at = NULL WHERE kind = 'apply'")
    house.pass_time(timedelta(minutes=6))
    run = apply.step_1_begin(house.keeper.engine.catalog, plan, caller=Caller("one"), dry_run=False)
    with pytest.raises(PlanUnusable, match=str(run)):
        apply.step_1_begin(house.keeper.engine.catalog, plan, caller=Caller("two"), dry_run=False)
