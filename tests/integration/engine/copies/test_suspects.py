"""Where each call of a store goes where the name leads, "missing" takes two looks, the second after a day (R20)."""

import time
from datetime import timedelta

import pytest
from support.callers import TESTER
from support.house import House
from support.leading import damaged, led
from support.missing import (
    Doing,
    compare,
    contents,
    copy_in,
    delete,
    emptied,
    missed,
    read_it,
    share,
    stand_before,
    states,
    turn,
    verify,
    write_over,
)
from support.reconciling import CONTENT, QUARANTINE, reconcile, short

from tierkeeper.base import callers
from tierkeeper.base.errors import NoReadableCopy
from tierkeeper.engine.collect import survivors
from tierkeeper.engine.copies import check, damage, suspects
from tierkeeper.stores.base import ObjectKey


@pytest.mark.parametrize("first", [read_it, verify, compare])
@pytest.mark.parametrize("then", [verify, compare, share, turn])
def test_a_bucket_that_is_empty_for_a_moment_loses_no_copy(apart: House, first: Doing, then: Doing) -> None:
    """What is not found is a suspect; who finds it again says so, and nothing was damaged or made anew."""
    before = contents(apart)
    store = emptied(apart)
    first(apart)
    assert (missed(apart), damaged(apart), apart.events()[-1]) == (1, 0, "not found")
    apart.turn()
    first(apart)
    assert (missed(apart), damaged(apart), apart.events()[-1]) == (1, 0, "not found")
    store.empty = False
    if then in {share, turn}:
        apart.pass_time(QUARANTINE)
    then(apart)
    assert (missed(apart), damaged(apart)) == (0, 0)
    assert apart.events()[-1] == "found again"
    assert contents(apart) == before
    apart.settle()


@pytest.mark.parametrize("first", [read_it, verify, compare])
@pytest.mark.parametrize("then", [verify, compare, share, turn])
def test_a_copy_that_is_gone_is_made_anew_after_the_second_look(apart: House, first: Doing, then: Doing) -> None:
    """It is a suspect for a day, and damaged then; converge makes it from the other copy."""
    delete(apart)
    first(apart)
    apart.pass_time(timedelta(hours=23))
    first(apart)
    assert (apart.turn(), missed(apart), damaged(apart)) == ({}, 1, 0)
    apart.pass_time(timedelta(hours=2))
    then(apart)
    assert (missed(apart), apart.events().count("damaged")) == (0, 1)
    apart.settle()
    assert (apart.tiers(), apart.read(), damaged(apart)) == ({"warm", "cold"}, CONTENT, 0)
    assert apart.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2}


def test_the_other_copy_stays_meanwhile(moved: House) -> None:
    """Nothing goes on a suspect's word: not when its look comes from collect itself, nor when a reader took it."""
    delete(moved)
    assert moved.collect().counts == {"not found": 1, survivors.LOOKS: 2, "kept: not everything wanted is present": 1}
    for hours in (1, 23):
        assert moved.collect().counts == {"kept: not everything wanted is present": 1}
        assert (states(moved), missed(moved), damaged(moved)) == ({"hot": "doomed", "warm": "present"}, 1, 0)
        moved.turn()
        assert moved.read() == CONTENT
        moved.pass_time(timedelta(hours=hours))
    moved.pass_time(timedelta(hours=1))
    moved.settle()
    assert moved.events()[-2:] == ["not found", "damaged"]
    assert (moved.tiers(), moved.read()) == ({"warm"}, CONTENT)


def test_what_was_found_again_lets_the_other_go(moved: House) -> None:
    """A suspect that is where it should be counts again."""
    store = emptied(moved)
    moved.keeper.sweeps.verify(caller=callers.BEAT)
    store.empty = False
    assert moved.collect().counts == {"kept: not everything wanted is present": 1}
    assert moved.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2, "found again": 1}
    assert moved.collect().counts == {"collected": 1, survivors.LOOKS: 1}
    moved.settle()


def test_other_bytes_are_damaged_at_once(apart: House) -> None:
    """What was written over is not missing: one look, taken twice, is enough."""
    write_over(apart)
    assert apart.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 1, "damaged": 1}
    assert (missed(apart), damaged(apart)) == (0, 1)
    apart.settle()
    assert apart.tiers() == {"warm", "cold"}


def test_what_lies_in_a_folder_is_damaged_at_once(house: House) -> None:
    """A folder is opened as a root, and its mark read through it: it was this very tier that did not have the copy."""
    house.store(content=CONTENT, age=timedelta(days=40))
    house.turn()
    house.restore(to_tier="warm")
    house.settle()
    house.keeper.engine.store("warm").delete([ObjectKey(copy_in(house).location)])
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 1, "damaged": 1}
    assert (missed(house), damaged(house)) == (0, 1)
    house.settle()
    assert house.tiers() == {"warm", "cold"}


def test_the_only_copy_is_a_suspect(s3_house: House) -> None:
    """Who reads it is told when it is looked for again; a read that finds it right takes the suspicion back."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    house.settle()
    store = emptied(house)
    with pytest.raises(NoReadableCopy, match=r"warm: it was not found at .* UTC, and is looked for again after .* UTC"):
        house.read()
    assert (missed(house), house.keeper.sweeps.verify(caller=callers.BEAT).counts) == (1, {"not found": 1})
    result, found = reconcile(house)
    assert short(found) == [("warm", "missing", "quarantine")]
    assert found[0].reason.startswith("nothing is at its location; it is looked for again after ")
    assert found[0].reason.endswith("; no other copy can be read")
    assert (result.lost, result.counts["not found"], result.errors) == (0, 1, 1)
    house.promote("a", "cold")
    house.turn()
    assert house.sql("SELECT parked_reason FROM schedule WHERE parked_reason IS NOT NULL OR attempts > 0") == []
    assert states(house) == {"warm": "present"}
    store.empty = False
    assert house.read() == CONTENT
    assert (missed(house), house.events()[-1]) == (0, "found again")
    stand_before(house, "warm", store.inner)
    house.settle()
    assert house.tiers() == {"cold"}


def test_the_only_copy_is_gone(s3_house: House) -> None:
    """After the second look it is damaged, and what it was the last copy of is lost."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    house.settle()
    store = emptied(house)
    house.keeper.sweeps.verify(caller=callers.BEAT)
    house.pass_time(QUARANTINE)
    house.turn()
    assert (missed(house), damaged(house)) == (0, 1)
    assert reconcile(house)[0].lost == 1
    store.empty = False
    reconcile(house)
    house.settle()
    assert house.read() == CONTENT


def test_the_second_look_begins_after_the_quarantine(apart: House) -> None:
    """A look that began before counts for the first, however late its answer is reported."""
    delete(apart)
    apart.keeper.sweeps.verify(caller=callers.BEAT)
    apart.pass_time(QUARANTINE)
    engine = apart.keeper.engine
    early = check.Wrong("nothing", missing=True, at=time.monotonic() - 7200)
    assert damage.report(engine, copy_in(apart), early, caller=TESTER) is damage.Reported.SUSPECT
    assert damaged(apart) == 0
    late = check.Wrong("nothing", missing=True)
    assert damage.report(engine, copy_in(apart), late, caller=TESTER) is damage.Reported.DAMAGED
    assert (missed(apart), damaged(apart)) == (0, 1)
    apart.settle()


def test_who_saw_it_before_it_was_missed_anew_takes_nothing_back(apart: House) -> None:
    """What was seen belongs to the suspicion that was known then."""
    delete(apart)
    apart.keeper.sweeps.verify(caller=callers.BEAT)
    copy = copy_in(apart)
    apart.sql("UPDATE placements SET missed_at = missed_at + interval '1 s' WHERE missed_at IS NOT NULL")
    assert not damage.found_again(apart.keeper.engine, copy, caller=TESTER)
    assert missed(apart) == 1
    apart.pass_time(QUARANTINE)
    apart.settle()


def test_a_second_look_in_another_place_is_none(apart: House) -> None:
    """Where the mark is not the tier's own, before or after, a suspect stays one, whatever was seen."""
    place = led(apart, "warm")
    store = emptied(apart)
    apart.keeper.sweeps.verify(caller=callers.BEAT)
    store.empty = False
    apart.pass_time(QUARANTINE)
    with place.elsewhere():
        assert suspects.look_again(apart.keeper.engine, [copy_in(apart)], caller=TESTER) == {}
        assert apart.keeper.sweeps.verify(share=0.1, caller=callers.BEAT).counts.get("damaged", 0) == 0
    assert (missed(apart), damaged(apart)) == (1, 0)
    assert suspects.look_again(apart.keeper.engine, [copy_in(apart)], caller=TESTER) == {"found again": 1}
    apart.settle()


def test_a_store_does_not_join_a_suspect(moved: House) -> None:
    """The same content stored again is written, also where a suspect is present, and that is replaced."""
    moved.promote("a", "hot")
    moved.settle()
    moved.promote("a", "warm")
    moved.settle()
    delete(moved)
    moved.keeper.sweeps.verify(caller=callers.BEAT)
    moved.store("b", CONTENT)
    assert {tier for tier, state in states(moved).items() if state == "present"} == {"hot", "warm"}
    moved.pass_time(QUARANTINE)
    moved.settle()
    assert moved.read("b") == CONTENT


def test_a_doomed_suspect_is_not_rescued(moved: House) -> None:
    """What is wanted again is made anew rather than taken for present."""
    moved.settle()
    moved.promote("a", "cold")
    delete(moved)
    reconcile(moved)
    assert (states(moved), missed(moved)) == ({"warm": "doomed", "cold": "present"}, 1)
    moved.promote("a", "warm")
    moved.settle()
    assert (moved.tiers(), moved.read(), damaged(moved)) == ({"warm"}, CONTENT, 0)


def test_what_is_lacking_besides_is_copied(moved: House) -> None:
    """An artifact that waits for a second look gets its other copies; it is due then, and meanwhile nothing fails."""
    delete(moved)
    moved.keeper.sweeps.verify(caller=callers.BEAT)
    moved.store("b", CONTENT, age=timedelta(days=10))
    moved.promote("b", "cold")
    assert (states(moved)["warm"], states(moved)["cold"], missed(moved)) == ("present", "present", 1)
    for row in moved.sql("SELECT due_at > now() + interval '23 h' AS later, failures, attempts, step FROM schedule"):
        assert (row.later, row.failures, row.attempts) == (True, 0, 0)
    assert "a copy was not found; it is looked for again after " in row.step
    moved.pass_time(QUARANTINE)
    moved.settle()
    assert moved.keeper.sweeps.verify(caller=callers.BEAT).counts == {
        "verified": 4
    }  # two artifacts, each in warm and cold
