"""Before the last other copy goes, those that stay are seen where they should be, whatever store they are in (R21)."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any, BinaryIO, cast

import pytest
from support.around import Around
from support.callers import TESTER
from support.doubting import pins
from support.heads import UNSEEN, counting, silent
from support.house import House
from support.leading import Led, damaged, led
from support.missing import stand_before, states
from support.reconciling import CONTENT, QUARANTINE, copy_of, drop

from tierkeeper.base import callers
from tierkeeper.base.ids import new_id
from tierkeeper.engine.collect import collect, judgement, survivors
from tierkeeper.engine.collect.deletable import Verdict
from tierkeeper.engine.copies import read_budget
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import StoreTransient
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.s3.store import S3Store

LOOKS = survivors.LOOKS


def bucket(house: House, tier: str = "warm") -> tuple[S3Store, str]:
    """The store of a tier on S3, and the location of its copy."""
    (row,) = house.sql("SELECT location FROM placements WHERE tier = :tier", tier=tier)
    return cast("S3Store", house.keeper.engine.store(tier)), row.location


def test_a_copy_that_is_there_lets_the_other_go(moved: House) -> None:
    """It is one call for each blob that loses its last other copy, and it is counted."""
    moved.store("b", b"another content", age=timedelta(days=10))
    moved.turn()
    store = counting(moved)
    result = moved.collect()
    assert (result.counts, result.errors, store.calls) == ({"collected": 2, LOOKS: 2}, 0, 2)
    moved.settle()
    assert (moved.tiers(), moved.read()) == ({"warm"}, CONTENT)


def test_a_bucket_that_was_emptied_costs_nothing(moved: House) -> None:
    """A lifecycle rule took the copy that stays: it is a suspect, the other is kept; then it is made anew (R20)."""
    store, location = bucket(moved)
    store.place.client.delete_object(**store.place.address(location, None))
    result = moved.collect()
    assert result.counts == {"not found": 1, LOOKS: 2, "kept: not everything wanted is present": 1}
    assert (damaged(moved), states(moved)) == (0, {"hot": "doomed", "warm": "present"})
    assert moved.events()[-1] == "not found"
    assert moved.read() == CONTENT  # from hot
    moved.pass_time(QUARANTINE)
    moved.settle()
    assert (moved.tiers(), moved.read()) == ({"warm"}, CONTENT)


def test_other_bytes_cost_nothing(moved: House) -> None:
    """Something of equal length was written over the copy that stays."""
    store, location = bucket(moved)
    store.place.client.put_object(**store.place.address(location, None), Body=b"x" * len(CONTENT))
    assert moved.collect().counts["damaged"] == 1
    assert states(moved)["hot"] == "doomed"
    moved.settle()
    assert (moved.tiers(), moved.read()) == ({"warm"}, CONTENT)


class Fleeting(Led):
    """Its name leads elsewhere within a put, and back before its mark is read again: what no mark tells."""

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        with self.elsewhere():
            return self.inner.put(location, content, info)


def test_a_bucket_whose_mark_came_back(s3_house: House) -> None:
    """An upload landed in another bucket and was believed: the source stays all the same."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    place = led(house, "warm")
    stand_before(house, "warm", Fleeting(place.ours, place.other))
    house.turn()
    stand_before(house, "warm", place)
    assert states(house) == {"hot": "doomed", "warm": "present"}
    assert house.collect().counts["not found"] == 1
    assert (states(house)["hot"], house.read()) == ("doomed", CONTENT)
    house.pass_time(QUARANTINE)
    house.settle()
    assert (house.tiers(), house.read()) == ({"warm"}, CONTENT)


def test_what_is_seen_elsewhere_was_not_seen(moved: House) -> None:
    """The name leads to another bucket by the time of the mark after: nothing is concluded from what was said."""
    place = led(moved, "warm")
    moved.keeper.engine.marks.confirm(place, before=True)

    def leave() -> None:
        place.inner = place.other

    store = counting(moved, at_head=leave)
    result = moved.collect()
    assert (result.counts, store.calls, damaged(moved)) == ({UNSEEN: 1, LOOKS: 1}, 1, 0)
    assert states(moved)["hot"] == "doomed"
    place.inner = place.ours
    stand_before(moved, "warm", place.ours)
    moved.settle()
    assert moved.tiers() == {"warm"}


def test_no_answer_is_none(moved: House) -> None:
    """Where the store of the copy that stays does not answer, the other is kept for later, and nothing is reported."""
    with silent(moved, "warm"):
        result = moved.collect()
        assert (result.counts, result.errors) == ({UNSEEN: 1, LOOKS: 1}, 0)
        assert (states(moved)["hot"], damaged(moved)) == ("doomed", 0)
    assert moved.collect().counts["collected"] == 1
    moved.settle()


def test_a_silent_tier_is_not_asked_about_everything(moved: House) -> None:
    """After some calls without an answer the others of the batch are kept without one."""
    for number in range(60):
        moved.store(f"more {number}", b"more %d" % number, age=timedelta(days=10))
    moved.turn()
    with silent(moved, "warm") as store:
        result = moved.collect()
    threads = moved.settings.engine.io_threads
    assert (result.counts[UNSEEN], result.counts[LOOKS]) == (61, store.calls)
    assert 20 <= store.calls < 20 + threads
    moved.settle()


def test_a_wrong_answer_once_is_none(moved: House) -> None:
    """A store that says once that nothing is there, and then that it is, has the copy."""
    inner = moved.keeper.engine.store("warm")
    other = led(moved, "warm").other

    class Once(Around):
        def head(self, key: ObjectKey) -> Stored:
            self.inner, before = inner, self.inner
            return before.head(key)

    once = Once(inner)
    once.inner = other
    once.mark = inner.mark  # type: ignore[method-assign]
    stand_before(moved, "warm", once)
    assert moved.collect().counts == {"collected": 1, LOOKS: 2}
    assert damaged(moved) == 0
    moved.settle()


def test_the_decision_asks_for_those_that_were_seen(moved: House) -> None:
    """Under the lock the copies that stay must be those that were looked at, by the keys they have now."""
    engine = moved.keeper.engine
    picked = collect.step_1_pick(engine.catalog, [])
    looked = survivors.check_all(engine, picked, away={}, caller=TESTER, dry_run=False)
    ((copy, key),) = looked.seen.items()
    others: list[judgement.SeenCopies] = [{}, {new_id(): key}, {copy: ObjectKey(key.location, None, '"another"')}]
    for seen in others:
        marked, verdicts = collect.step_2_mark(engine, new_id(), picked, caller=TESTER, dry_run=False, seen=seen)
        assert (marked, verdicts) == ([], [Verdict.UNSEEN])
    moved.sql("UPDATE placements SET damaged_at = now() WHERE id = :id", id=copy)
    _, verdicts = collect.step_2_mark(engine, new_id(), picked, caller=TESTER, dry_run=False, seen=looked.seen)
    assert verdicts == [Verdict.INCOMPLETE]
    moved.sql("UPDATE placements SET damaged_at = NULL WHERE id = :id", id=copy)
    _, verdicts = collect.step_2_mark(engine, new_id(), picked, caller=TESTER, dry_run=True, seen=looked.seen)
    assert verdicts == [Verdict.COLLECTED]
    moved.settle()


def test_a_dry_run_reports_nothing(moved: House) -> None:
    """It looks, and says what would be kept."""
    store, location = bucket(moved)
    store.place.client.delete_object(**store.place.address(location, None))
    assert moved.keeper.sweeps.collect(dry_run=True, caller=callers.BEAT).counts == {UNSEEN: 1, LOOKS: 2}
    assert "not found" not in moved.events()
    assert moved.collect().counts["not found"] == 1
    moved.pass_time(QUARANTINE)
    moved.settle()


def test_who_is_not_asked(moved: House) -> None:
    """No call is made while deletes are off, nor for what is purged."""
    house = moved
    house.keeper.deletes.switch(enabled=False, caller=TESTER, reason="a test")
    warm, cold = counting(house), counting(house, "cold")
    with pytest.raises(Exception, match="a test"):
        house.collect()
    house.keeper.deletes.switch(enabled=True, caller=TESTER, reason="a test")
    assert warm.calls == 0
    house.settle()
    assert warm.calls == 1
    house.purge("a")
    house.days_pass(10)
    house.settle()
    assert (house.everything(), warm.calls, cold.calls) == ([], 1, 0)


def test_a_folder_that_was_put_back_from_an_older_copy_costs_nothing(house: House) -> None:
    """A snapshot or a backup is put back, mark and all: what came after it is made anew from the other copy."""
    root = cast("FilesystemStore", house.keeper.engine.store("warm"))._tree.root
    older = root.with_name("older")
    shutil.copytree(root, older)
    house.store(content=CONTENT, age=timedelta(days=10))
    house.turn()
    root.rename(root.with_name("newer"))
    older.rename(root)
    result = house.collect()
    assert result.counts == {"damaged": 1, LOOKS: 2, "kept: not everything wanted is present": 1}
    assert (states(house)["hot"], house.read()) == ("doomed", CONTENT)
    house.settle()
    assert (house.tiers(), house.read()) == ({"warm"}, CONTENT)


def test_a_table_that_was_put_back_from_an_older_dump_costs_nothing(house: House) -> None:
    """A row that is gone from a database is seen to be, and nothing of the others is read."""
    house.store(content=CONTENT, age=timedelta(days=10))
    house.settle()
    house.promote("a", "records")
    house.turn()
    assert states(house) == {"warm": "doomed", "records": "present"}
    store, key = copy_of(house, "records")
    store.delete([key])
    assert house.collect().counts["damaged"] == 1
    assert (states(house)["warm"], house.read()) == ("doomed", CONTENT)
    house.settle()
    assert (house.tiers(), house.read()) == ({"records"}, CONTENT)


def test_a_version_that_was_deleted_by_its_id_costs_nothing(open_house: Callable[..., House], s3_endpoint: str) -> None:
    """A rule, or somebody, deletes versions: the copy that stays is a suspect, and the other is kept."""
    house = open_house(tiers={"warm": {"url": f"s3://warm-bucket?endpoint={s3_endpoint}"}})
    store = cast("S3Store", house.keeper.engine.store("warm"))
    versions: Any = {"Status": "Enabled"}
    store.place.client.put_bucket_versioning(Bucket="warm-bucket", VersioningConfiguration=versions)
    store.place.became_versioned()
    house.store(content=CONTENT, age=timedelta(days=10))
    house.turn()
    drop(house, "warm")
    assert house.collect().counts == {"not found": 1, LOOKS: 2, "kept: not everything wanted is present": 1}
    assert (states(house)["hot"], house.read()) == ("doomed", CONTENT)
    house.pass_time(QUARANTINE)
    house.settle()
    assert (house.tiers(), house.read()) == ({"warm"}, CONTENT)


def test_copies_in_a_tier_that_is_gone_are_not_seen(
    moved: House, settings_factory: Callable[..., Any], s3_endpoint: str
) -> None:
    """A tier that is no longer configured cannot be asked about the copy that stays there: the other is kept."""
    stores = cast("dict[str, Store]", moved.keeper.engine.stores)
    warm = stores.pop("warm")
    assert moved.collect().counts == {UNSEEN: 1}
    stores["warm"] = warm
    moved.settle()


@pytest.fixture
def nameless(moved: House) -> House:
    """The copy that stays is one of the release before, which noted no pin."""
    moved.sql("UPDATE placements SET pin = NULL WHERE tier = 'warm'")
    return moved


def test_other_bytes_of_what_nobody_named_cost_nothing(nameless: House) -> None:
    """A HEAD would not tell them where their length is the same: the copy is read."""
    store, location = bucket(nameless)
    store.place.client.put_object(**store.place.address(location, None), Body=b"x" * len(CONTENT))
    counts = nameless.collect().counts
    assert counts == {"damaged": 1, survivors.READS: 2, "kept: not everything wanted is present": 1}
    assert (states(nameless)["hot"], nameless.read()) == ("doomed", CONTENT)
    nameless.settle()
    assert (nameless.tiers(), nameless.read()) == ({"warm"}, CONTENT)


def test_what_was_read_has_a_name_then(nameless: House) -> None:
    """It is read once; a dry run reads it and notes nothing."""
    assert nameless.keeper.sweeps.collect(dry_run=True, caller=callers.BEAT).counts == {
        "collected": 1,
        survivors.READS: 1,
    }
    assert pins(nameless) == [None]
    assert nameless.collect().counts == {"collected": 1, survivors.READS: 1}
    (pin,) = pins(nameless)
    assert pin is not None
    assert nameless.read() == CONTENT


def test_verify_names_what_it_reads(nameless: House) -> None:
    """So a catalog of the release before needs no reads of collect's own in the end."""
    nameless.keeper.sweeps.verify(caller=callers.BEAT)
    assert None not in pins(nameless)
    assert nameless.collect().counts == {"collected": 1, LOOKS: 1}
    nameless.settle()


def test_what_cannot_be_read_now_was_not_seen(nameless: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a read fails, or a batch has read long enough, the other copy stays; a later collect goes on."""

    class Mute(Around):
        def open(self, *_args: object, **_more: object) -> Any:  # noqa: ANN401  it never returns
            raise StoreTransient(tier="warm", reason="503 SlowDown")

    inner = nameless.keeper.engine.store("warm")
    stand_before(nameless, "warm", Mute(inner))
    assert nameless.collect().counts == {UNSEEN: 1, survivors.READS: 1}
    stand_before(nameless, "warm", inner)
    monkeypatch.setattr(read_budget, "_BEGINS", -1.0)
    assert nameless.collect().counts[UNSEEN] == 1
    assert (states(nameless)["hot"], damaged(nameless), pins(nameless)) == ("doomed", 0, [None])
    monkeypatch.undo()
    assert nameless.collect().counts["collected"] == 1
    nameless.settle()


def test_what_was_read_elsewhere_was_not_seen(nameless: House) -> None:
    """A read between whose marks the name led to another bucket names nothing."""
    place = led(nameless, "warm")

    class Leaving(Around):
        def open(self, *args: Any, **more: Any) -> Any:  # noqa: ANN401  the store's
            opened = self.inner.open(*args, **more)
            place.inner = place.other
            return opened

        def mark(self) -> Any:  # noqa: ANN401  the store's
            return place.mark()

    stand_before(nameless, "warm", Leaving(place.ours))
    assert nameless.collect().counts == {UNSEEN: 1, survivors.READS: 1}
    assert pins(nameless) == [None]
    stand_before(nameless, "warm", place.ours)
    nameless.settle()
