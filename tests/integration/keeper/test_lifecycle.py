"""The lifecycle by age through the keeper: 7, 30, 90 days, then the undo window, then nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from support import invariants
from support.callers import TESTER
from support.house import House, OpenHouse

from tierkeeper.base import callers
from tierkeeper.base.errors import ArtifactDeleted, ArtifactPurged

STEPS = [(0, {"hot"}), (6.9, {"hot"}), (7.1, {"warm"}), (29.9, {"warm"}), (30.1, {"cold"}), (89.9, {"cold"})]


@pytest.mark.parametrize(("days", "tiers"), STEPS)
def test_an_age_has_its_tier(house: House, days: float, tiers: set[str]) -> None:
    """An artifact stored with an age is, after one turn, exactly where the default policy wants that age."""
    house.store(age=timedelta(days=days))
    house.turn()
    house.collect()
    assert house.tiers() == tiers
    assert house.read() == b"content"
    invariants.check_settled(house.keeper)


@pytest.mark.parametrize("kind", ["house", "s3_house"])
def test_a_whole_life(kind: str, request: pytest.FixtureRequest) -> None:
    """As time passes one artifact goes hot, warm, cold, is deleted, and is destroyed after the undo window."""
    house: House = request.getfixturevalue(kind)
    house.store(content=b"a life" * 1000)
    for days, tier in ((8, "warm"), (23, "cold")):
        house.days_pass(days)
        assert house.turn() == {f"promoted_to_{tier}": 1}
        house.settle()
        assert house.tiers() == {tier}
        assert house.read() == b"a life" * 1000
    house.days_pass(60)
    assert house.turn()["deleted"] == 1
    with pytest.raises(ArtifactDeleted):
        house.read()
    assert house.read(deleted=True) == b"a life" * 1000
    house.days_pass(6)
    assert not house.turn()
    house.days_pass(1.1)
    assert house.turn() == {"purged": 1}
    house.settle()
    with pytest.raises(ArtifactPurged):
        house.read(deleted=True)
    assert house.everything() == []
    assert house.events() == ["stored", "moved", "moved", "deleted", "purged", "destroyed"]


def test_the_old_copy_waits_for_its_grace(open_house: OpenHouse) -> None:
    """The copy that is no longer wanted stays readable until the grace is over."""
    house = open_house(engine={"grace": "1h"})
    house.store(age=timedelta(days=8))
    house.turn()
    assert house.collect().counts == {}
    assert sorted((p.tier, p.state.value) for p in house.show().placements) == [("hot", "doomed"), ("warm", "present")]
    house.pass_time(timedelta(minutes=61))
    assert house.collect().counts["collected"] == 1
    house.settle()


def test_a_doomed_copy_is_rescued(open_house: OpenHouse) -> None:
    """A tier that is wanted again within the grace gets its doomed copy back, and no byte is copied."""
    house = open_house(engine={"grace": "1h"})
    house.store(age=timedelta(days=8))
    house.turn()
    before = {p.location for p in house.show().placements if p.tier == "hot"}
    house.restore()
    assert house.tiers() == {"hot", "warm"}
    assert {p.location for p in house.show().placements if p.tier == "hot"} == before


def test_many_move_in_batches(open_house: OpenHouse) -> None:
    """More artifacts than one batch holds move in one turn; the run counts them all."""
    house = open_house(engine={"batch": 20})
    items = [house.args(f"n/{i}", b"%d" % i, age=timedelta(days=8)) for i in range(55)]
    house.keeper.artifacts.store_many(items, caller=TESTER)
    assert house.keeper.sweeps.due() == 55
    assert house.turn() == {"promoted_to_warm": 55}
    run = house.keeper.runs.latest()[0]
    assert (run.counts["promoted_to_warm"], run.state.value) == (55, "done")
    assert house.collect().counts["collected"] == 55
    house.settle()


def test_retention_override_moves_the_purge(house: House) -> None:
    """An artifact whose metadata asks for longer retention is purged later, and never earlier than its policy says."""
    house.store("long", b"long", age=timedelta(days=100), metadata={"retention_override": "7_years"})
    house.store("short", b"short", age=timedelta(days=40), metadata={"retention_override": "5d"})
    house.turn()
    assert house.show("long").state == "live"
    assert house.tiers("long") == {"cold"}
    assert house.show("short").state == "live"
    house.days_pass(7 * 366)
    house.turn()
    assert house.show("long").state == "deleted"


def test_records_leave_the_hot_database(house: House) -> None:
    """A record is in the database and the coldest tier at once; ``clean_hot`` drops the database copy at 90 days."""
    record = {"content_type": "application/json", "tags": {"kind": "record"}}
    house.store("old", b'{"n": 1}', age=timedelta(days=91), **record)
    house.store("new", b'{"n": 2}', age=timedelta(days=89), **record)
    house.store("other", b"3", age=timedelta(days=8))
    assert house.tiers("old") == {"records", "cold"}
    run = house.keeper.sweeps.rotate(databases_only=True, caller=callers.BEAT)
    assert run is not None
    house.keeper.sweeps.converge_due(run)
    assert house.tiers("old") == {"cold"}
    assert house.tiers("new") == {"records", "cold"}
    assert house.tiers("other") == {"hot"}
    assert house.keeper.sweeps.rotate(databases_only=True, caller=callers.BEAT) is None
    house.settle()


def test_a_plan_is_what_the_run_then_does(house: House) -> None:
    """The plan names for every due artifact what the turn right after it does, and the turn does nothing else."""
    for number, days in enumerate((1, 8, 31, 91)):
        house.store(f"n{number}", b"%d" % number, age=timedelta(days=days))
    house.store("gone", b"gone")
    house.purge("gone")
    house.days_pass(7.5)
    planned = {item.ref.name: (item.action, item.target) for item in house.keeper.plans.due()}
    assert planned == {
        "n0": ("move", ("warm",)),
        "n1": ("move", ("warm",)),
        "n2": ("move", ("cold",)),
        "n3": ("delete", ()),
        "gone": ("destroy", ()),
    }
    house.turn()
    for name, (action, target) in planned.items():
        view = house.show(name)
        expected = {"move": "live", "delete": "deleted", "destroy": "purged"}[action]
        # what is deleted stays where it is until its undo window ends
        tiers = {"hot"} if action == "delete" else set(target)
        assert (view.state.value, set(view.tiers)) == (expected, tiers)
    assert list(house.keeper.plans.due()) == []


def test_a_plan_looks_ahead(house: House) -> None:
    """A plan as of a later time tells what will be due then, and changes nothing."""
    house.store()
    assert list(house.keeper.plans.due()) == []
    (item,) = house.keeper.plans.due(as_of=datetime.now(UTC) + timedelta(days=8))
    assert (item.action, item.source, item.target) == ("move", ("hot",), ("warm",))
    assert house.turn() == {}
