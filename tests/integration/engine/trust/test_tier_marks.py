"""A tier whose place is not its own: unmounted, another bucket, another host's. Nothing is concluded or lost."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from support.callers import TESTER
from support.house import LEASES_END, House, restored
from support.leading import away, damaged, led, vital
from support.missing import copy_in, missed
from support.reconciling import CONTENT, reconcile

from tierkeeper.base import callers
from tierkeeper.base.states import RunKind
from tierkeeper.engine import mark_check
from tierkeeper.engine.copies import damage
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import ObjectNotFound, StoreTransient, TierNotOurs
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper.values.health import Condition


@pytest.mark.parametrize("how", ["missing", "empty", "prepared"])
def test_nothing_is_concluded_while_a_place_is_away(twice: House, how: str) -> None:
    """No sweep or read calls a copy missing, deletes a row or counts an attempt; health is red; all comes back."""
    house = twice
    house.store("new", b"new", age=timedelta(days=10))
    house.turn()
    house.promote("new", "cold")  # its copy in warm is doomed
    house.store("due", b"due", age=timedelta(days=10))
    before = house.everything()
    rows = house.sql("SELECT id FROM placements WHERE tier = 'warm' ORDER BY id")
    with away(house, "warm", how):
        house.turn()
        result, found = reconcile(house)
        assert [(t.tier, bool(t.away)) for t in result.tiers] == [
            ("hot", False),
            ("records", False),
            ("warm", True),
            ("cold", False),
        ]
        assert (found, result.errors) == ([], 1)
        verified = house.keeper.sweeps.verify(caller=callers.BEAT)
        assert verified.counts["left out"] >= 1
        assert "damaged" not in verified.counts
        assert house.read() == CONTENT  # from cold
        collected = house.keeper.sweeps.collect(caller=callers.BEAT)
        assert (collected.counts["left out: the tier's place is not its own"], collected.errors) == (2, 1)
        assert house.keeper.runs.latest(kind=RunKind.COLLECT)[0].errors == 1
        house.purge("new")
        house.turn()
        house.collect()
        assert set(rows) <= set(house.sql("SELECT id FROM placements WHERE tier = 'warm' ORDER BY id"))
        condition, detail = vital(house, "tier warm")
        assert condition is Condition.BAD
        assert "warm" in detail
        assert vital(house, "tier cold")[0] is Condition.OK
        assert (damaged(house), missed(house)) == (0, 0)
        assert house.sql("SELECT artifact_id FROM schedule WHERE parked_reason IS NOT NULL OR attempts > 0") == []
        assert "damaged" not in house.events()
    assert {o for o in before if o.startswith("warm/")} <= set(house.everything())
    house.undelete("new")
    house.pass_time(timedelta(minutes=10))
    house.settle()
    assert (house.tiers(), house.tiers("due"), house.tiers("new")) == ({"warm", "cold"}, {"warm"}, {"cold"})
    assert house.read("new") == b"new"


def test_collect_counts_the_tiers_that_it_left_something_in(house: House) -> None:
    """Of two tiers that are away the one without a copy to remove is no error."""
    house.store(content=CONTENT, age=timedelta(days=10))
    house.turn()
    with away(house, "hot", "missing"), away(house, "cold", "missing"):
        assert house.collect().errors == 1
    house.settle()
    assert house.tiers() == {"warm"}


def test_the_log_says_once_that_a_tier_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step meets it, the log is told once; again when it was back, or a while later."""
    told: list[str] = []
    monkeypatch.setattr(mark_check._log, "warning", lambda _, *, tier, **__: told.append(tier))
    refused = house.keeper.engine.unconfirmed
    for _ in range(2):
        with away(house, "warm", "missing"):
            assert [list(refused()) for _ in range(3)] == [["warm"]] * 3
        assert refused() == {}
    assert told == ["warm", "warm"]
    with away(house, "warm", "missing"):
        refused()
        house.keeper.engine.marks._throttle.seconds = 0.0
        refused()
    assert told == ["warm"] * 4


def test_an_upload_to_another_place_is_not_believed(s3_house: House) -> None:
    """Bytes that landed where the mark is not ours are no copy: the source stays, and the artifact is due."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    place = led(house, "warm")
    house.keeper.engine.marks.confirm(place, before=True)
    place.inner = place.other
    run = house.keeper.sweeps.rotate(caller=callers.BEAT)
    assert run is not None
    house.keeper.sweeps.converge_due(run)
    assert house.tiers() == {"hot"}
    assert house.sql("SELECT state FROM placements WHERE tier = 'warm' AND state = 'present'") == []
    assert house.sql("SELECT artifact_id FROM schedule WHERE parked_reason IS NOT NULL OR attempts > 0") == []
    place.inner = place.ours
    house.pass_time(timedelta(minutes=10))
    house.turn()
    assert house.tiers() == {"warm"}
    house.settle()


def test_a_store_to_another_place_is_refused(open_house: Callable[..., House], s3_endpoint: str) -> None:
    """Who stores into a bucket that is not the tier's own is told so, and no version comes to be."""
    house = open_house(tiers={"hot": {"url": f"s3://hot-bucket?endpoint={s3_endpoint}"}})
    house.store("before", b"before")
    place = led(house, "hot")
    with place.elsewhere(), pytest.raises(TierNotOurs):
        house.store(content=CONTENT)
    assert len(house.sql("SELECT id FROM artifacts")) == 1
    house.store(content=CONTENT)
    house.pass_time(LEASES_END)
    house.settle()


def test_a_delete_in_another_place_is_no_receipt(s3_house: House) -> None:
    """What a store that leads elsewhere says to have deleted is not forgotten: its row stays until its bytes go."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    house.turn()
    house.collect()
    house.promote("a", "cold")
    place = led(house, "warm")
    house.keeper.engine.marks.confirm(place, before=True)
    place.leaves_at_delete = True
    assert house.collect().errors == 1
    (row,) = house.sql("SELECT state, location FROM placements WHERE tier = 'warm'")
    assert row.state == "deleting"
    place.inner = place.ours
    assert place.head(ObjectKey(row.location)).size == len(CONTENT)
    house.pass_time(timedelta(minutes=10))
    house.settle()
    with pytest.raises(ObjectNotFound):
        place.head(ObjectKey(row.location))


def test_a_tier_that_does_not_confirm_is_no_other_copy(s3_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep leaves out every tier whose mark it did not read, whatever kept it from that: no copy there counts."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    house.turn()
    house.promote("a", "cold")
    house.pass_time(timedelta(days=8))

    def refuse() -> TierMark | None:
        raise StoreTransient(tier="warm", reason="timed out")

    with monkeypatch.context() as patch:
        patch.setattr(house.keeper.engine.store("warm"), "mark", refuse)
        collected = house.keeper.sweeps.collect(caller=callers.BEAT)
        assert collected.counts["left out: the tier did not tell whether its place is its own"] == collected.errors == 1
    house.settle()


def test_a_place_that_was_away_when_a_batch_began(s3_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that was read long ago says nothing of this batch: bytes written elsewhere are not believed."""
    house = s3_house
    house.store("b", content=b"before", age=timedelta(days=10))
    house.settle()
    house.store(content=CONTENT, age=timedelta(days=10))
    place = led(house, "warm")
    house.keeper.engine.marks.confirm(place)
    later = time.monotonic() + 60
    monkeypatch.setattr("tierkeeper.engine.mark_check.monotonic", lambda: later, raising=False)
    place.inner, place.returns_after_put = place.other, True
    house.turn()
    place.inner = place.ours
    believed = house.sql("SELECT location FROM placements WHERE tier = 'warm' AND state = 'present'")
    assert all(place.head(ObjectKey(row.location)) for row in believed)
    assert (len(believed), house.read()) == (1, CONTENT)
    house.pass_time(timedelta(minutes=10))
    house.settle()


def test_what_is_said_of_another_place_is_not_noted(s3_house: House) -> None:
    """Whoever reports that a copy is missing or wrong, after whatever reads: without the mark after it is nothing."""
    house = restored(s3_house, CONTENT, to_tier="warm")
    copy = copy_in(house, "warm")
    with led(house, "warm").elsewhere():
        for missing in (True, False):
            assert damage.report(house.keeper.engine, copy, Wrong("it was", missing=missing), caller=TESTER) is None
    assert (damaged(house), missed(house)) == (0, 0)
    house.settle()


def test_a_place_that_is_back_before_the_mark_is_read_after_has_no_missing_copy(s3_house: House) -> None:
    """A read and its repetition ask another bucket, and the mark after them is right again: no copy is damaged."""
    house = restored(s3_house, CONTENT, to_tier="warm")
    place = led(house, "warm")
    house.keeper.engine.marks.confirm(place)
    place.inner, place.opens_elsewhere = place.other, 2
    assert house.read() == CONTENT
    place.inner = place.ours
    assert (damaged(house), missed(house)) == (0, 0)
    house.settle()


def test_another_bucket_holds_nothing(s3_house: House) -> None:
    """Reads, verify and reconcile that ask another bucket than the tier's call no copy missing or damaged."""
    house = restored(s3_house, CONTENT, to_tier="warm")
    with led(house, "warm").elsewhere():
        assert house.read() == CONTENT
        result, found = reconcile(house)
        assert (found, [t.tier for t in result.tiers if t.away]) == ([], ["warm"])
        assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 1, "left out": 1}
        assert vital(house, "tier warm")[0] is Condition.BAD
        assert (damaged(house), missed(house)) == (0, 0)
    house.settle()
    assert house.tiers() == {"warm", "cold"}
