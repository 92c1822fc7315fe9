"""What collect leaves because the copies that stay were not seen: it comes last then, and health tells of it (R21)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from support.around import Around
from support.callers import TESTER
from support.heads import UNSEEN, silent
from support.house import House
from support.leading import damaged
from support.missing import stand_before

from tierkeeper.base import callers
from tierkeeper.base.ids import new_id
from tierkeeper.engine.collect import collect
from tierkeeper.engine.collect.deletable import Verdict
from tierkeeper.engine.copies import pins, presence, read_budget
from tierkeeper.stores.base import ObjectKey, Store, Stored
from tierkeeper.stores.errors import Garbled, StoreTransient
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper.values.health import Condition


def unseen(house: House) -> float | None:
    """How many copies health says were left for more than a day."""
    return house.keeper.health.check(tiers=False)["unseen"].value


def test_what_is_left_for_a_day_is_told(moved: House) -> None:
    """Health counts it while collect goes on to leave it; not what was kept for another reason meanwhile."""
    with silent(moved, "warm"):
        for hours, told in ((0, 0), (23, 0), (2, 1), (24 * 3, 0), (0, 0), (25, 1)):
            moved.pass_time(timedelta(hours=hours))
            if hours != 24 * 3:
                assert moved.collect().counts[UNSEEN] == 1
            assert unseen(moved) == told, hours
        assert moved.keeper.health.check(tiers=False)["unseen"].condition is Condition.ATTENTION
        moved.sql("UPDATE placements SET state = 'present', delete_after = NULL, doomed_at = NULL WHERE tier = 'hot'")
        assert unseen(moved) == 0
        moved.sql("UPDATE placements SET state = 'doomed', delete_after = now(), doomed_at = now() WHERE tier = 'hot'")
        assert unseen(moved) == 0  # it was doomed anew
        moved.collect()
        assert unseen(moved) == 0
    moved.settle()
    assert unseen(moved) == 0


def test_a_dry_run_leaves_nothing_for_later(moved: House) -> None:
    """It notes nothing."""
    told = "SELECT unseen_since, delete_after FROM placements WHERE tier = 'hot'"
    before = moved.sql(told)
    with silent(moved, "warm"):
        assert moved.keeper.sweeps.collect(dry_run=True, caller=callers.BEAT).counts[UNSEEN] == 1
    assert moved.sql(told) == before
    moved.settle()


def test_what_was_left_comes_last(moved: House) -> None:
    """What cannot be seen comes after all others at the next collect, however long its time is over."""
    (left,) = moved.sql("SELECT id FROM placements WHERE state = 'doomed'")
    moved.store("b", b"another content", age=timedelta(days=10))
    moved.turn()
    moved.sql("UPDATE placements SET delete_after = delete_after - interval '1 hour' WHERE state = 'doomed'")
    assert collect.step_1_pick(moved.keeper.engine.catalog, [])[0][0] == left.id
    collect_one(moved, left.id)
    assert collect.step_1_pick(moved.keeper.engine.catalog, [])[-1][0] == left.id
    (again,) = moved.sql("SELECT unseen_since, delete_after FROM placements WHERE id = :id", id=left.id)
    collect_one(moved, left.id)  # once more within minutes: it is last already
    assert moved.sql("SELECT unseen_since, delete_after FROM placements WHERE id = :id", id=left.id) == [again]
    moved.settle()


def test_some_that_fail_hide_no_others_for_ever(moved: House) -> None:
    """A look gives up on a tier after some errors; which copies it asked for is another choice each time."""
    for number in range(60):
        moved.store(f"more {number}", b"more %d" % number, age=timedelta(days=10))
    moved.turn()
    rows = moved.sql("SELECT location FROM placements WHERE tier = 'warm' AND state = 'present' ORDER BY blob_id")
    bad = {row.location for row in rows[:36]}

    class Some(Around):
        def head(self, key: ObjectKey) -> Stored:
            if key.location in bad:
                raise Garbled(tier="warm", location=key.location, reason="of this object alone")
            return self.inner.head(key)

    store = moved.keeper.engine.store("warm")
    stand_before(moved, "warm", Some(store))
    left, rounds = 0, 0
    while left != len(bad):
        moved.collect()
        moved.pass_time(timedelta(minutes=30))
        left = moved.sql("SELECT count(*) AS n FROM placements WHERE state = 'doomed'")[0].n
        rounds += 1
        assert rounds < 100
    stand_before(moved, "warm", store)
    moved.settle()


def test_what_was_not_asked_for_is_told(moved: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a batch and tier: of what there was no time to read, and of a tier that is not configured here."""
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(presence._log, "warning", lambda event, **more: told.append((event, more)))
    monkeypatch.setattr(read_budget, "_BEGINS", -1.0)
    moved.sql("UPDATE placements SET pin = NULL WHERE tier = 'warm'")
    assert moved.collect().counts[UNSEEN] == 1
    stores = cast("dict[str, Store]", moved.keeper.engine.stores)
    warm = stores.pop("warm")
    assert moved.collect().counts[UNSEEN] == 1
    stores["warm"] = warm
    events = {(event, more["tier"], more["copies"]) for event, more in told if event == "copies were not looked at"}
    reasons = [more["reason"] for event, more in told if event == "copies were not looked at"]
    assert events == {("copies were not looked at", "warm", 1)}
    assert ["no time was left" in reason for reason in reasons] == [True, False]
    assert "warm" in reasons[1]
    monkeypatch.undo()
    moved.settle()


class Flapping(Around):
    """Its mark cannot be read while ``silent``, its objects can; ``must_thaw``: they are in an archive class."""

    silent, must_thaw = False, False

    def mark(self) -> TierMark | None:
        if self.silent:
            raise StoreTransient(tier="warm", reason="SlowDown")
        return self.inner.mark()


@pytest.fixture(params=["read at once", "to be thawed"])
def flapping(request: pytest.FixtureRequest, moved: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flapping]:
    """The bucket was moved, and no mark is read while a new name is noted."""
    moved.sql("UPDATE placements SET pin = :pin WHERE tier = 'warm'", pin='"0"')
    store = Flapping(moved.keeper.engine.store("warm"))
    store.must_thaw = request.param == "to be thawed"
    note = pins.note

    def noted(*arguments: Any, **more: Any) -> bool:  # noqa: ANN401  what is passed on
        store.silent = True
        try:
            return note(*arguments, **more)
        finally:
            store.silent = False

    monkeypatch.setattr(pins, "note", noted)
    stand_before(moved, "warm", store)
    yield store
    stand_before(moved, "warm", store.inner)
    monkeypatch.undo()
    moved.collect()  # it is read, and has another name
    moved.settle()


@pytest.mark.usefixtures("flapping")
def test_right_bytes_whose_name_cannot_be_noted_are_not_damaged(moved: House) -> None:
    """They were seen to be right, in a place of which nobody knows whether it is the tier's own."""
    assert moved.collect().counts[UNSEEN] == 1
    moved.keeper.sweeps.verify(caller=callers.BEAT)
    assert damaged(moved) == 0


def test_bytes_whose_sha256_was_never_noted_are_not_damaged(moved: House) -> None:
    """Whether they are right under another name is not known."""
    moved.sql("UPDATE placements SET pin = :pin, stored_sha256 = NULL WHERE tier = 'warm'", pin='"0"')
    assert moved.collect().counts[UNSEEN] == 1
    assert damaged(moved) == 0
    moved.keeper.sweeps.verify(caller=callers.BEAT)
    moved.settle()


def collect_one(house: House, copy: UUID) -> None:
    """Let collect decide about one copy whose others were not seen."""
    picked = [one for one in collect.step_1_pick(house.keeper.engine.catalog, []) if one[0] == copy]
    marked, verdicts = collect.step_2_mark(house.keeper.engine, new_id(), picked, caller=TESTER, dry_run=False)
    assert (marked, verdicts) == ([], [Verdict.UNSEEN])
