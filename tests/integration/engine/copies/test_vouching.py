"""A copy that nobody vouches for is read before it counts, and until then nothing is removed on its word."""

from datetime import timedelta

import pytest
from support.callers import TESTER
from support.copy_files import file_of, flip
from support.doubting import Server, doubt, kept, row_of, server, vouched
from support.house import House, restored
from support.reconciling import CONTENT

from tierkeeper.base import callers
from tierkeeper.base.errors import NoReadableCopy
from tierkeeper.base.states import Outcome, Vouched
from tierkeeper.engine.copies import damage, unvouched
from tierkeeper.engine.copies.check import Wrong
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored

WEEK = timedelta(days=8)  # old enough for warm, by the default policy


# -- what is committed, R17


@pytest.mark.parametrize("says", [None, Vouched.PINNED, Vouched.SERVER])
def test_a_copy_that_nobody_vouches_for_is_read_before_its_commit(house: House, says: Vouched | None) -> None:
    """A server's copy of a source without a pin is read back, whatever it says; what is wrong moves nothing."""
    house.store(content=CONTENT, age=WEEK)
    server(house, "warm", says)
    good = file_of(house, "hot").read_bytes()
    flip(file_of(house, "hot"))
    house.turn()
    assert (kept(house), "damaged" in house.events()) == ({"hot"}, True)
    house.collect()
    file_of(house, "hot").write_bytes(good)
    house.sql("UPDATE placements SET damaged_at = NULL")
    house.pass_time(timedelta(minutes=10))
    house.settle()
    assert (house.tiers(), house.read()) == ({"warm"}, CONTENT)
    assert vouched(house, "warm") == ("read", "ours", True)


def test_a_pinned_copy_of_a_vouched_source_is_as_good_as_that(house: House) -> None:
    """It is committed without being read; nobody has verified it, so verify takes it before what was read once."""
    house.store(content=CONTENT, age=WEEK)
    house.sql("UPDATE placements SET pin = 'theirs'")
    warm = server(house, "warm", Vouched.PINNED)
    warm.away = True  # it cannot be read now
    house.turn()
    assert (house.tiers(), vouched(house, "warm")) == ({"warm"}, ("pinned", "ours", False))
    warm.away = False
    house.settle()


@pytest.mark.parametrize("change", ["damaged_at = now()", "pin = 'others'"])
def test_a_pinned_copy_is_not_committed_when_its_source_was_found_bad_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """It is as good as its source, so that is looked at again under the lock; what healed has other bytes' pin."""
    house.store(content=CONTENT, age=WEEK)
    house.sql("UPDATE placements SET pin = 'theirs'")
    warm, copied = server(house, "warm", Vouched.PINNED), Server.copy

    def meanwhile(self: Server, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        stored = copied(self, source, key, location, info)
        house.sql(f"UPDATE placements SET {change} WHERE tier = 'hot'")  # noqa: S608  constants of this test
        return stored

    monkeypatch.setattr(Server, "copy", meanwhile)
    house.turn()
    assert (warm.copied, kept(house)) == (1, {"hot"})
    monkeypatch.undo()
    house.sql("UPDATE placements SET damaged_at = NULL")
    house.pass_time(timedelta(hours=2))
    house.settle()
    assert (house.tiers(), house.read()) == ({"warm"}, CONTENT)


@pytest.mark.parametrize("right", [True, False])
def test_a_pinned_copy_of_an_unvouched_source_is_read(house: House, *, right: bool) -> None:
    """It is no better than its source, which nobody vouches for: it is read, and a wrong one is not committed."""
    house.store(content=CONTENT, age=WEEK)
    doubt(house, "hot")
    server(house, "warm", Vouched.PINNED)
    good = file_of(house, "hot").read_bytes()
    if not right:
        flip(file_of(house, "hot"))
    house.turn()
    assert kept(house) == ({"warm"} if right else {"hot"})
    if not right:
        file_of(house, "hot").write_bytes(good)
        house.sql("UPDATE placements SET damaged_at = NULL")
        house.pass_time(timedelta(minutes=10))
    house.settle()
    assert vouched(house, "warm") == ("read", "ours", True)


def test_what_must_be_thawed_is_streamed_unless_it_is_pinned(house: House) -> None:
    """A copy that could not be read back has to be vouched for as it is written: its bytes pass through here."""
    house.store("b", b"other", age=WEEK)
    warm = server(house, "warm", Vouched.PINNED)
    warm.archive = warm.away = True
    house.turn()
    assert (warm.copied, vouched(house, "warm")) == (0, ("written", None, False))
    house.store("c", b"another", age=WEEK)
    house.sql("UPDATE placements SET pin = 'theirs' WHERE tier = 'hot'")
    house.turn()
    assert (warm.copied, house.tiers("c")) == (1, {"warm"})
    warm.away = False
    house.settle()


def test_vouched_sources_come_first(house: House) -> None:
    """Of two copies the one that is vouched for is the source, however near the other is."""
    house.policy("name: two\nmatch: {tenant: acme}\nwrite: all\nphases: [{after: 0d, in: [hot, cold]}]\n")
    house.store(content=CONTENT)
    doubt(house, "hot")
    server(house, "hot").away = True
    house.sql("UPDATE placements SET key_id = tier")  # a copy inherits it from its source (R6)
    house.promote("a", "warm")
    (moved,) = house.sql("SELECT key_id FROM placements WHERE tier = 'warm' AND state = 'present'")
    assert moved.key_id == "cold"
    house.sql("UPDATE placements SET key_id = NULL")  # their bytes are the content
    server(house, "hot")
    house.pass_time(timedelta(minutes=10))
    house.settle()


# -- what counts, R15


def test_on_the_word_of_an_unvouched_copy_nothing_is_doomed(house: House) -> None:
    """While the wanted copy cannot be read, the other one stays; once it is read and right, the other goes."""
    restored(house, CONTENT)
    doubt(house, "cold")
    cold = server(house, "cold")
    cold.away = True
    house.sql("UPDATE artifacts SET override_until = now() - interval '1 minute'")  # the restore is over
    house.due(house.show().id)
    house.turn()
    house.collect()
    assert house.tiers() == {"hot", "cold"}
    assert vouched(house, "cold") == (None, None, False)
    (due,) = house.sql("SELECT due_at < now() + interval '1 minute' AS soon FROM schedule")
    assert due.soon
    cold.away = False
    house.pass_time(timedelta(minutes=10))
    house.settle()
    assert (house.tiers(), vouched(house, "cold")) == ({"cold"}, ("read", None, True))


def test_a_wrong_unvouched_copy_is_made_anew_in_the_same_turn(house: House) -> None:
    """It is found by reading it, reported, and copied from the one that is right."""
    restored(house, CONTENT)
    doubt(house, "cold")
    flip(file_of(house, "cold"))
    house.sql("UPDATE artifacts SET override_until = now() - interval '1 minute'")
    house.due(house.show().id)
    house.turn()
    assert "damaged" in house.events()
    house.settle()
    assert (house.tiers(), house.read()) == ({"cold"}, CONTENT)
    assert vouched(house, "cold")[0] == "written"


def test_a_doomed_unvouched_copy_is_read_before_it_is_rescued(house: House) -> None:
    """A copy on its way out that is wanted again comes back only once its bytes were read."""
    house.store(content=CONTENT, age=WEEK)
    house.turn()
    doomed = file_of(house, "hot")
    doubt(house, "hot")
    flip(doomed)
    house.promote("a", "hot")
    assert house.read() == CONTENT
    house.settle()
    assert (house.tiers(), file_of(house, "hot") == doomed) == ({"hot"}, False)


def test_store_joins_no_copy_that_nobody_vouches_for(house: House) -> None:
    """The same content stored again brings its bytes, and takes the place of the copy that may be wrong."""
    house.store(content=CONTENT)
    doubt(house, "hot")
    flip(file_of(house, "hot"))
    assert house.store("b", CONTENT).outcome == "stored"
    assert (house.read("b"), vouched(house, "hot")[0]) == (CONTENT, "written")
    house.settle()


def test_a_store_under_another_name_dooms_no_copy_in_doubt(house: House) -> None:
    """The only copy of an older artifact stays where it is, whatever a store brings to another tier."""
    house.store(content=CONTENT, age=WEEK)
    house.turn()
    doubt(house, "warm")
    house.collect()
    assert house.store("b", CONTENT).outcome == "stored"
    assert kept(house) == {"hot", "warm"}
    house.keeper.sweeps.verify(caller=callers.BEAT)
    house.pass_time(timedelta(hours=2))
    house.settle()


def test_an_unvouched_copy_serves_no_ranges(house: House) -> None:
    """A whole read is verified, so it may come from there; a part of it could not be."""
    house.store(content=CONTENT)
    doubt(house, "hot")
    assert house.read() == CONTENT
    with (
        pytest.raises(NoReadableCopy, match="read whole or not at all"),
        house.keeper.artifacts.open(house.ref(), offset=1, length=2),
    ):
        pass
    house.keeper.sweeps.verify(caller=callers.BEAT)
    with house.keeper.artifacts.open(house.ref(), offset=1, length=2) as reading:
        assert b"".join(reading.chunks) == CONTENT[1:3]


def test_a_wish_for_a_tier_that_has_only_an_unvouched_copy_is_no_nothing(house: House) -> None:
    """A promote to where such a copy lies has it read, though the artifact is wanted there already."""
    house.store(content=CONTENT)
    doubt(house, "hot")
    assert house.promote("a", "hot")[0].outcome is not Outcome.NOTHING
    assert vouched(house, "hot") == ("read", None, True)


# -- vouching later, R18


@pytest.mark.parametrize("change", ["damaged_at = now()", "state = 'deleting', token = id, lease_until = now()"])
def test_what_changed_while_it_was_read_is_not_vouched_for(house: House, change: str) -> None:
    """A copy that somebody found bad meanwhile, or that is being deleted, stays as it is."""
    house.store(content=CONTENT)
    doubt(house, "hot")
    copy = row_of(house, "hot")
    house.sql(f"UPDATE placements SET {change}")  # noqa: S608  constants of this test
    assert unvouched.vouch(house.keeper.engine.catalog, [copy], {}, caller=TESTER) == set()
    assert row_of(house, "hot").vouched is None
    house.sql("UPDATE placements SET damaged_at = NULL, state = 'present', lease_until = NULL")
    assert unvouched.vouch(house.keeper.engine.catalog, [copy], {}, caller=TESTER) == {copy.id}


def test_other_bytes_than_the_pin_names_are_damage(house: House) -> None:
    """Where the store tells that a copy was replaced, it is damaged, until a fresh read finds it right."""
    house.store(content=CONTENT)
    server(house, "hot").etag = "theirs"
    house.sql("UPDATE placements SET pin = 'ours'")
    flip(file_of(house, "hot"))
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"damaged": 1}
    flip(file_of(house, "hot"))
    assert house.keeper.sweeps.reconcile(caller=TESTER).counts["healed"] == 1
    assert vouched(house, "hot") == ("read", None, True)
    house.settle()


def test_healing_vouches_too(house: House) -> None:
    """A damaged copy whose bytes were read again and are right counts, by the bytes that are there now."""
    house.store(content=CONTENT)
    house.sql("UPDATE placements SET vouched = 'pinned', pin = 'before'")
    damage.report(house.keeper.engine, row_of(house, "hot"), Wrong("a test", missing=False), caller=TESTER)
    assert damage.heal(house.keeper.engine, row_of(house, "hot"), caller=TESTER)
    assert vouched(house, "hot") == ("read", None, True)
    house.settle()


def test_a_late_heal_withdraws_no_newer_report(house: House) -> None:
    """What was read before a copy was found damaged once more says nothing about it."""
    house.store(content=CONTENT)
    engine, wrong = house.keeper.engine, Wrong("a test", missing=False)
    damage.report(engine, row_of(house, "hot"), wrong, caller=TESTER)
    read = row_of(house, "hot")
    assert damage.heal(engine, row_of(house, "hot"), caller=TESTER)
    damage.report(engine, row_of(house, "hot"), wrong, caller=TESTER)
    assert damage.heal(engine, read, caller=TESTER) is False
    assert row_of(house, "hot").damaged_at is not None
    assert damage.heal(engine, row_of(house, "hot"), caller=TESTER)
    house.settle()
