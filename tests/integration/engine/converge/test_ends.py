"""What ends is committed without being decided before; without an undo window in one pass: deleted and purged."""

from datetime import timedelta
from typing import NoReturn

import pytest
from support import broken
from support.braking import OLD, fill, waiting
from support.callers import TESTER
from support.house import House, OpenHouse

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import epochs
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge import converge
from tierkeeper.values.parking import StuckFilter

NOWHERE = "name: short\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}, {after: 30d, in: []}]\nundo: %s\n"
MOVES = "name: short\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}, {after: 30d, in: [warm]}]\nundo: 0d\n"


def undecided(*_: object, **__: object) -> NoReturn:
    """Stands for step 2 where it must not be taken."""
    pytest.fail("it was decided before its commit")


@pytest.fixture
def at_once(house: House) -> House:
    """Of three artifacts two are past the end of a policy without an undo window; nothing was swept since."""
    house.policy(NOWHERE % "0d")
    for name in ("a", "b"):
        house.store(name, name.encode(), age=OLD)
    house.store("young", b"young")
    return house


def test_one_pass_deletes_and_purges(at_once: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One commit, both events with their own standings, both counted; nothing was decided before."""
    monkeypatch.setattr(converge, "step_2_decide", undecided)
    assert at_once.turn() == {"deleted": 2, "purged": 2}
    assert at_once.events() == ["stored", "deleted", "purged"]
    deleted, purged = (e for e in at_once.keeper.events.select(ref=at_once.ref(), newest_first=False) if e.before)
    assert (deleted.at, deleted.revision + 1) == (purged.at, purged.revision)
    assert [[side["state"] for side in (e.before, e.after) if side] for e in (deleted, purged)] == [
        ["live", "deleted"],
        ["deleted", "purged"],
    ]
    assert [[side["present"] for side in (e.before, e.after) if side] for e in (deleted, purged)] == [
        [["hot"], ["hot"]],
        [["hot"], []],
    ]
    assert deleted.policy == "short v1: phase 30d"
    assert [run.counts for run in at_once.keeper.runs.latest(limit=1)] == [{"deleted": 2, "purged": 2}]
    assert len({row.xid for row in at_once.sql("SELECT xid FROM events WHERE type IN ('deleted', 'purged')")}) == 1
    at_once.settle()
    assert at_once.events() == ["stored", "deleted", "purged", "destroyed"]


def test_an_undo_window_is_kept(house: House) -> None:
    """One of a day is not passed over; after it the second commit purges, without a decision before it either."""
    house.policy(NOWHERE % "1d")
    house.store(age=OLD)
    assert house.turn() == {"deleted": 1}
    assert house.turn() == {}
    house.days_pass(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(converge, "step_2_decide", undecided)
        assert house.turn() == {"purged": 1}
    house.settle()


def test_an_untrusted_catalog_stops_the_second_half(at_once: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It deletes, which can be undone; what is irrevocable waits until it is trusted."""
    monkeypatch.setattr(epochs, "distrusted", lambda _: "a look first")
    assert at_once.turn() == {"deleted": 2, "refused": 2}
    assert (at_once.show().state, at_once.tiers()) == ("deleted", {"hot"})
    monkeypatch.undo()
    assert at_once.turn() == {}
    at_once.pass_time(timedelta(minutes=6))
    assert at_once.turn() == {"purged": 2}
    at_once.settle()


def test_what_the_brake_stops_is_stopped_whole(open_house: OpenHouse) -> None:
    """Above its limit nothing is deleted or purged; approved, the deletion alone names the approval."""
    house = open_house(engine={"brake_share": 0, "brake_count": 2})
    house.policy(NOWHERE % "0d")
    fill(house, 3)
    assert house.turn() == {}
    run = waiting(house)
    house.keeper.runs.approve(run.id, caller=TESTER, reason="looked at")
    assert house.turn() == {"deleted": 3, "purged": 3}
    found = house.keeper.events.select(ref=house.ref("n/0"), newest_first=False)
    assert [(e.type, e.after.get("approved")) for e in found if e.after] == [
        ("stored", None),
        ("deleted", str(run.id)),
        ("purged", None),
    ]
    house.settle()


def test_content_that_another_artifact_lacks_stays(house: House) -> None:
    """A purge does not run ahead of a copy that an artifact of the same content waits for."""
    house.policy((NOWHERE % "0d").replace("acme", "acme, name: a"))
    for name in ("a", "kept"):
        house.store(name, b"shared", age=OLD if name == "a" else timedelta(0))
    house.sql("UPDATE artifacts SET wanted = '{hot,warm}' WHERE id = :id", id=house.show("kept").id)
    assert len(house.sql("SELECT FROM blobs")) == 1
    counts = house.turn()
    assert (counts["deleted"], counts["purged"], house.tiers("kept")) == (1, 1, {"hot"})
    house.settle()
    assert house.read("kept") == b"shared"


@pytest.mark.parametrize("wrong", ["damaged_at = now()", "vouched = NULL", "missed_at = now()"])
def test_a_copy_that_an_undo_window_needs_is_seen_to(house: House, wrong: str) -> None:
    """A deletion that can be undone keeps its copies: one of them that does not count is mended first, as before."""
    both = (NOWHERE % "1d").replace("in: [hot]", "in: [hot, warm]")
    house.policy(both.replace("30d", "3000d"))
    house.store(age=OLD)
    house.turn()
    assert house.tiers() == {"hot", "warm"}
    house.policy(both)
    house.sql(f"UPDATE placements SET {wrong} WHERE tier = 'warm'")  # noqa: S608  one of the above
    assert house.turn()["deleted"] == 1
    [run] = house.keeper.runs.latest(kind=RunKind.ROTATE, limit=1)
    assert run.errors == 0
    sound = "state = 'present' AND vouched IS NOT NULL AND damaged_at IS NULL AND missed_at IS NULL"
    good = house.sql(f"SELECT tier FROM placements WHERE {sound}")  # noqa: S608  as above
    assert {row.tier for row in good} == {"hot", "warm"}
    assert [row.failures for row in house.sql("SELECT failures FROM schedule")] == [0]


def test_an_edit_since_takes_all_steps(at_once: House) -> None:
    """What the schedule foretold is no decision: an edited policy moves it, in the same turn and as one try."""
    at_once.policy(MOVES)
    at_once.sql("UPDATE schedule SET step = 'purge', due_at = now() - interval '1 minute' WHERE step <> 'nothing'")
    assert at_once.turn()["promoted_to_warm"] == 2
    assert (at_once.tiers(), at_once.events()) == ({"warm"}, ["stored", "moved"])
    at_once.settle()


def test_what_does_not_end_stays_leased(at_once: House) -> None:
    """The ending commit leaves it to the steps that come: no outcome, and its lease is the worker's still."""
    engine, worker = at_once.keeper.engine, Worker(new_id(), TESTER)
    ids = [at_once.show(name).id for name in ("a", "young")]
    converge.step_1_claim(engine, worker, ids=ids)
    results, _ = converge.step_5_commit(engine, worker, ids, [], set(), ending=True)
    assert [(found, result.first, result.label) for found, result in results.items()] == [(ids[0], "deleted", "purged")]
    [left] = at_once.sql("SELECT artifact_id FROM schedule WHERE lease_token = :token", token=worker.token)
    assert left.artifact_id == ids[1]


def test_an_unreadable_row_is_parked(at_once: House) -> None:
    """It protects what it says, whatever its schedule foretold; the others of its batch end."""
    broken.write(at_once.keeper, "a", "metadata = '[1]'")
    counts = at_once.turn()
    assert (counts["purged"], counts["parked"]) == (1, 1)
    assert at_once.show("a").state == "live"
    assert [item.ref.name for item in at_once.keeper.parked.select(StuckFilter()) if item.ref] == ["a"]
