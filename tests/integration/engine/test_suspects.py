"""Where each call of a store goes where the name leads, "missing" takes two looks, the second after a day (R20)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

import pytest
import sqlalchemy as sa
from faults.around import Around
from integration.engine.leading import damaged, led
from integration.engine.reconciling import CONTENT, QUARANTINE, late, reconcile, short
from integration.keeper.house import House

from tierkeeper.base.errors import NoReadableCopy
from tierkeeper.base.findings import Finding, ReconcileLimits
from tierkeeper.catalog import epochs, placements, probes
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine import (
    acceptance,
    checking,
    damage,
    marking,
    reading,
    reconcile_act,
    reconcile_look,
    survivors,
    suspects,
)
from tierkeeper.policy.decision import when
from tierkeeper.stores.base import ObjectKey, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreError, StoreTransient
from tierkeeper.stores.s3 import S3Store

Doing = Callable[[House], None]


class Emptied(Around):
    """A bucket that finds and lists nothing for a while, though its mark is there: what no mark tells."""

    empty = False

    def head(self, key: ObjectKey) -> Stored:
        if self.empty:
            raise ObjectNotFound(tier=self.config.tier, location=key.location)
        return self.inner.head(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return iter(()) if self.empty else self.inner.list(prefix)

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        if self.empty:
            raise ObjectNotFound(tier=self.config.tier, location=key.location)
        with self.inner.open(key, offset=offset, length=length) as chunks:
            yield chunks


class Busy(Around):
    """A store that takes nothing for a while."""

    def put(self, *_args: object, **_more: object) -> Stored:
        raise StoreTransient(tier=self.config.tier, reason="busy")

    def copy(self, *_args: object, **_more: object) -> Stored:
        raise StoreTransient(tier=self.config.tier, reason="busy")


def stand_before(house: House, tier: str, store: Store) -> None:
    """Let ``store`` take a tier's calls."""
    cast("dict[str, Store]", house.keeper.engine.stores)[tier] = store


def emptied(house: House, tier: str = "warm") -> Emptied:
    """Let a tier find nothing from now on, until ``empty`` is false."""
    store = Emptied(house.keeper.engine.store(tier))
    stand_before(house, tier, store)
    store.empty = True
    return store


def delete(house: House, tier: str = "warm") -> None:
    """Somebody deletes a tier's copies."""
    store = cast("S3Store", house.keeper.engine.store(tier))
    for row in house.sql("SELECT location FROM placements WHERE tier = :tier", tier=tier):
        store.place.client.delete_object(**store.place.address(row.location, None))


def write_over(house: House, tier: str = "warm", content: bytes = b"x" * len(CONTENT)) -> None:
    """Somebody writes these bytes over a tier's copy."""
    store = cast("S3Store", house.keeper.engine.store(tier))
    location = copy_in(house, tier).location
    store.place.client.put_object(**store.place.address(location, None), Body=content)


def contents(house: House) -> list[str]:
    """What lies in all tiers, but for what the catalog notes there."""
    return [found for found in house.everything() if "/.tierkeeper/" not in found]


def missed(house: House) -> int:
    """How many copies are suspects."""
    return int(house.sql("SELECT count(*) AS n FROM placements WHERE missed_at IS NOT NULL")[0].n)


def states(house: House) -> dict[str, str]:
    """The state of each tier's copy."""
    return {r.tier: r.state for r in house.sql("SELECT tier, state FROM placements ORDER BY made_at")}


@pytest.fixture
def apart(s3_house: House) -> House:
    """An artifact in warm and in cold, both of them buckets."""
    s3_house.store(content=CONTENT, age=timedelta(days=40))
    s3_house.turn()
    s3_house.restore(to_tier="warm")
    s3_house.settle()
    assert s3_house.tiers() == {"warm", "cold"}
    return s3_house


@pytest.fixture
def moved(s3_house: House) -> House:
    """An artifact whose copy in hot is doomed, and ripe; the one in warm, a bucket, stays."""
    s3_house.store(content=CONTENT, age=timedelta(days=10))
    s3_house.turn()
    assert states(s3_house) == {"hot": "doomed", "warm": "present"}
    return s3_house


def read_it(house: House) -> None:
    """A reader passes over the copy that is not found."""
    assert house.read() == CONTENT


def verify(house: House) -> None:
    """Verify reads every copy."""
    house.keeper.verify()


def compare(house: House) -> None:
    """Reconcile lists every tier."""
    reconcile(house)


def share(house: House) -> None:
    """The daily verify looks at the suspects whose quarantine is over."""
    house.keeper.verify(share=0.001)


def turn(house: House) -> None:
    """Its artifact is due then."""
    house.turn()


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
    assert apart.keeper.verify().counts == {"verified": 2}


def copy_in(house: House, tier: str = "warm") -> PlacementRow:
    """The row of a tier's copy."""
    (row,) = house.sql("SELECT id FROM placements WHERE tier = :tier", tier=tier)
    with house.keeper.engine.catalog.reading() as connection:
        return placements.load(connection, [row.id])[0]


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
    moved.keeper.verify()
    store.empty = False
    assert moved.collect().counts == {"kept: not everything wanted is present": 1}
    assert moved.keeper.verify().counts == {"verified": 2, "found again": 1}
    assert moved.collect().counts == {"collected": 1, survivors.LOOKS: 1}
    moved.settle()


def test_other_bytes_are_damaged_at_once(apart: House) -> None:
    """What was written over is not missing: one look, taken twice, is enough."""
    write_over(apart)
    assert apart.keeper.verify().counts == {"verified": 1, "damaged": 1}
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
    assert house.keeper.verify().counts == {"verified": 1, "damaged": 1}
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
    assert (missed(house), house.keeper.verify().counts) == (1, {"not found": 1})
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
    house.keeper.verify()
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
    apart.keeper.verify()
    apart.pass_time(QUARANTINE)
    engine = apart.keeper.engine
    early = checking.Wrong("nothing", missing=True, at=time.monotonic() - 7200)
    assert damage.report(engine, copy_in(apart), early, actor="tester") is damage.Reported.SUSPECT
    assert damaged(apart) == 0
    late = checking.Wrong("nothing", missing=True)
    assert damage.report(engine, copy_in(apart), late, actor="tester") is damage.Reported.DAMAGED
    assert (missed(apart), damaged(apart)) == (0, 1)
    apart.settle()


def test_who_saw_it_before_it_was_missed_anew_takes_nothing_back(apart: House) -> None:
    """What was seen belongs to the suspicion that was known then."""
    delete(apart)
    apart.keeper.verify()
    copy = copy_in(apart)
    apart.sql("UPDATE placements SET missed_at = missed_at + interval '1 s' WHERE missed_at IS NOT NULL")
    assert not damage.found_again(apart.keeper.engine, copy, actor="tester")
    assert missed(apart) == 1
    apart.pass_time(QUARANTINE)
    apart.settle()


def test_a_second_look_in_another_place_is_none(apart: House) -> None:
    """Where the mark is not the tier's own, before or after, a suspect stays one, whatever was seen."""
    place = led(apart, "warm")
    store = emptied(apart)
    apart.keeper.verify()
    store.empty = False
    apart.pass_time(QUARANTINE)
    with place.elsewhere():
        assert suspects.look_again(apart.keeper.engine, [copy_in(apart)], actor="tester") == {}
        assert apart.keeper.verify(share=0.1).counts.get("damaged", 0) == 0
    assert (missed(apart), damaged(apart)) == (1, 0)
    assert suspects.look_again(apart.keeper.engine, [copy_in(apart)], actor="tester") == {"found again": 1}
    apart.settle()


def test_a_store_does_not_join_a_suspect(moved: House) -> None:
    """The same content stored again is written, also where a suspect is present, and that is replaced."""
    moved.promote("a", "hot")
    moved.settle()
    moved.promote("a", "warm")
    moved.settle()
    delete(moved)
    moved.keeper.verify()
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
    moved.keeper.verify()
    moved.store("b", CONTENT, age=timedelta(days=10))
    moved.promote("b", "cold")
    assert (states(moved)["warm"], states(moved)["cold"], missed(moved)) == ("present", "present", 1)
    for row in moved.sql("SELECT due_at > now() + interval '23 h' AS later, failures, attempts, step FROM schedule"):
        assert (row.later, row.failures, row.attempts) == (True, 0, 0)
    assert "a copy was not found; it is looked for again after " in row.step
    moved.pass_time(QUARANTINE)
    moved.settle()
    assert moved.keeper.verify().counts == {"verified": 4}  # two artifacts, each in warm and cold


def due(house: House) -> tuple[timedelta, str, str | None]:
    """How long it is until the artifact is looked at, for what, and which policy deletes it then."""
    (row,) = house.sql("SELECT due_at - now() AS wait, step, deletes FROM schedule")
    return row.wait, row.step, row.deletes


def make_due(house: House) -> None:
    """Something is asked of the artifact: it is looked at."""
    house.sql("UPDATE schedule SET due_at = now()")
    house.turn()


@pytest.mark.parametrize(("age", "step", "deletes"), [(10, "move to cold", None), (40, "purge", "default")])
def test_the_wait_for_a_second_look_puts_no_step_off(s3_house: House, age: int, step: str, deletes: str | None) -> None:
    """What an artifact's policy does next comes when it should, and the brake counts what is to be deleted then."""
    s3_house.store(content=CONTENT, age=timedelta(days=age))
    s3_house.settle()
    (tier,) = s3_house.tiers()
    s3_house.pass_time(due(s3_house)[0] - timedelta(hours=1))
    store = emptied(s3_house, tier)
    s3_house.keeper.verify()
    assert missed(s3_house) == 1
    make_due(s3_house)
    wait, *what = due(s3_house)
    assert (wait < timedelta(hours=1), what) == (True, [step, deletes])
    s3_house.pass_time(wait - timedelta(hours=30))  # long before it, the second look comes first
    make_due(s3_house)
    assert timedelta(hours=20) < due(s3_house)[0] < QUARANTINE
    store.empty = False
    stand_before(s3_house, tier, store.inner)
    s3_house.keeper.verify()


def test_no_failure_puts_a_step_off(s3_house: House) -> None:
    """A store that fails is asked again after a while, and before that when something else comes."""
    s3_house.store(content=CONTENT, age=timedelta(days=10))
    s3_house.settle()
    s3_house.pass_time(due(s3_house)[0] - timedelta(minutes=1))
    inner = s3_house.keeper.engine.store("cold")
    stand_before(s3_house, "cold", Busy(inner))
    s3_house.promote("a", "cold")  # until the next phase begins
    s3_house.sql("UPDATE schedule SET failures = 16")
    make_due(s3_house)
    assert s3_house.sql("SELECT failures FROM schedule")[0].failures == 17
    assert timedelta() < due(s3_house)[0] < timedelta(minutes=1)
    stand_before(s3_house, "cold", inner)
    make_due(s3_house)
    s3_house.pass_time(timedelta(hours=2))  # the leases of what was not written
    s3_house.settle()


def test_a_reader_takes_another_copy_first(apart: House) -> None:
    """What was not found once is tried last, however hot its tier is, and a copy that stays away costs no call."""
    store = emptied(apart)
    reconcile(apart)
    store.empty = False
    engine = apart.keeper.engine
    with reading.opened(engine, reading.find(engine, apart.ref())) as opened:
        assert opened.tier == "cold"
        assert b"".join(opened.chunks) == CONTENT
    assert missed(apart) == 1


def test_a_suspect_is_no_other_copy(apart: House) -> None:
    """A copy that is bad is not said to be made anew from one that is not found, nor is it called lost."""
    delete(apart)
    reconcile(apart)
    write_over(apart, "cold", b"shorter")
    result, found = reconcile(apart)
    assert short(found) == [("cold", "mismatched", "none"), ("warm", "missing", "quarantine")]
    assert (result.lost, damaged(apart)) == (0, 1)
    apart.pass_time(QUARANTINE)
    assert reconcile(apart)[0].lost == 1
    write_over(apart, "cold", CONTENT)
    reconcile(apart)
    apart.settle()
    assert apart.read() == CONTENT


def test_what_is_found_is_what_is_done(apart: House) -> None:
    """A quarantine that ends while the tier is looked at is over for what is told as for what is done."""
    delete(apart)
    reconcile(apart)
    told: list[Finding] = []
    engine = apart.keeper.engine
    limits = ReconcileLimits(engine.settings.reconcile.quarantine, 1.0, 0)
    look = reconcile_look.Look(engine, "warm", limits=limits, record=True, found=told.append, progress=print)
    apart.sql(
        "UPDATE placements SET missed_at = clock_timestamp() - CAST(:length AS interval) WHERE missed_at IS NOT NULL",
        length=limits.quarantine,
    )
    try:
        look.take()
        assert reconcile_act.repair(engine, look, actor="tester") == {"reported": 1}
    finally:
        look.close()
    assert short(told) == [("warm", "missing", "repair")]
    apart.settle()


def test_a_suspect_hides_no_copy(apart: House) -> None:
    """Where nothing but a suspect is present, verify reads what was called damaged too: it may be right."""
    apart.sql("UPDATE placements SET damaged_at = now() WHERE tier = 'cold'")
    store = emptied(apart)
    assert apart.keeper.verify().counts == {"not found": 1}
    assert apart.keeper.verify().counts == {"not found": 1, "healed": 1}
    assert (missed(apart), damaged(apart), apart.read()) == (1, 0, CONTENT)
    store.empty = False
    assert apart.keeper.verify().counts == {"verified": 2, "found again": 1}


class Meanwhile(Around):
    """A store at which something happens once, before an open, which then finds nothing."""

    def __init__(self, inner: Store, happens: Callable[[], object], then: StoreError) -> None:
        super().__init__(inner)
        self.happens, self.answers = happens, [then]

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:  # noqa: ARG002  as the store's
        self.happens()
        if self.answers:
            raise self.answers.pop()
        raise ObjectNotFound(tier=self.config.tier, location=key.location)
        yield  # never


def test_verify_reports_nothing_that_is_not_noted(apart: House) -> None:
    """What somebody else reported while it was read, or what goes, is passed over, and is no error."""
    inner = apart.keeper.engine.store("warm")
    nothing = ObjectNotFound(tier="warm", location="nowhere")

    def reported() -> None:
        apart.sql("UPDATE placements SET damaged_at = now() WHERE tier = 'warm'")

    stand_before(apart, "warm", Meanwhile(inner, reported, nothing))
    result = apart.keeper.verify()
    assert (result.counts, result.errors) == ({"verified": 1, "passed over": 1}, 0)
    stand_before(apart, "warm", inner)
    reconcile(apart)
    apart.settle()


def test_a_reader_tells_what_it_saw_last(s3_house: House) -> None:
    """Where two reads find different things, what is noted, and why, are the second's."""
    s3_house.store(content=CONTENT, age=timedelta(days=10))
    s3_house.settle()
    inner = s3_house.keeper.engine.store("warm")
    other = ContentMismatch(tier="warm", location="there", reason="something else was written there")
    stand_before(s3_house, "warm", Meanwhile(inner, lambda: None, other))
    with pytest.raises(NoReadableCopy):
        s3_house.read()
    (event,) = s3_house.sql("SELECT after FROM events WHERE type = 'not found'")
    assert event.after["reason"].startswith("Tier warm has nothing at ")
    stand_before(s3_house, "warm", inner)
    s3_house.keeper.verify()


def adopted(house: House) -> None:
    """The operator adopts the tier's place, which another may stand for."""
    marking.adopt(house.keeper.engine, "warm", actor="tester", reason="it was moved", lost=True)


def accepted(house: House) -> None:
    """The operator accepts a restored catalog, which compares it with the tiers."""

    def restored(connection: sa.Connection) -> None:
        now = catalog_now(connection)
        epochs.set_trust(connection, epochs.RESTORED, by="tester", reason="restored", now=now, event="rebuilt")

    house.keeper.engine.catalog.run(restored)
    acceptance.accept(house.keeper.engine, actor="tester", reason="the disk died")


@pytest.mark.parametrize("moved_on", [adopted, accepted])
def test_two_looks_are_of_one_place(apart: House, moved_on: Doing) -> None:
    """A first look at the place before, or noted by another state of the catalog, is no first look."""
    delete(apart)
    reconcile(apart)
    apart.pass_time(QUARANTINE)
    moved_on(apart)
    compare(apart)
    assert (missed(apart), damaged(apart)) == (1, 0)
    apart.pass_time(QUARANTINE)
    apart.settle()
    assert (apart.tiers(), apart.read()) == ({"warm", "cold"}, CONTENT)


def test_verify_looks_at_suspects_besides_its_share(apart: House) -> None:
    """The second look comes with every daily verify, whatever copies that one has to read."""
    delete(apart)
    reconcile(apart)
    apart.sql("UPDATE placements SET verified_at = CASE tier WHEN 'cold' THEN made_at ELSE now() END")
    apart.pass_time(QUARANTINE)
    assert apart.keeper.verify(share=0.001).counts == {"damaged": 1, "verified": 1}
    apart.settle()


def test_a_first_look_in_the_time_to_come_is_none(apart: House) -> None:
    """The clock was ahead at the first look, and put right: the copy is missed anew now, and made anew after a day."""
    delete(apart)
    reconcile(apart)
    apart.sql("UPDATE placements SET missed_at = missed_at + interval '1 year' WHERE missed_at IS NOT NULL")
    apart.keeper.verify(share=0.001)
    assert apart.sql("SELECT count(*) AS n FROM placements WHERE missed_at <= now()")[0].n == 1
    apart.sql("UPDATE placements SET missed_at = missed_at + interval '1 year' WHERE missed_at IS NOT NULL")
    ahead = copy_in(apart).missed_at
    assert ahead is not None
    found = reconcile(apart)[1]
    assert short(found) == [("warm", "missing", "quarantine")]
    assert when(ahead + apart.settings.reconcile.quarantine) not in found[0].reason
    assert (apart.sql("SELECT count(*) AS n FROM placements WHERE missed_at <= now()")[0].n, damaged(apart)) == (1, 0)
    apart.pass_time(QUARANTINE)
    apart.settle()
    assert (apart.tiers(), missed(apart), apart.read()) == ({"warm", "cold"}, 0, CONTENT)


def test_what_was_read_in_the_time_to_come_is_read(apart: House) -> None:
    """A copy whose last read is said to be still to come is read again by a share of all."""
    apart.sql("UPDATE placements SET verified_at = now() + interval '1 year'")
    assert apart.keeper.verify(share=1.0).counts["verified"] == 2
    assert apart.sql("SELECT id FROM placements WHERE verified_at > now()") == []


def test_orphans_and_probes_of_the_time_to_come(apart: House) -> None:
    """What was first seen, or answered, in the time to come was seen now, or not at all."""
    late(apart)
    reconcile(apart)
    apart.sql("UPDATE quarantine SET first_seen = first_seen + interval '1 year'")
    reconcile(apart)
    assert apart.sql("SELECT tier FROM quarantine WHERE first_seen > now()") == []
    apart.pass_time(QUARANTINE)
    assert [(f.kind.value, f.action.value) for f in reconcile(apart)[1]] == [("orphan", "delete")]
    apart.keeper.engine.catalog.run(lambda c: probes.keep(c, "warm", server="s", seen={"a": True}))
    with apart.keeper.engine.catalog.reading() as connection:
        assert probes.seen(connection, "warm", server="s") == {"a": True}
    apart.sql("UPDATE switches SET at = at + interval '1 year' WHERE name = 'probe:warm'")
    with apart.keeper.engine.catalog.reading() as connection:
        assert probes.seen(connection, "warm", server="s") == {}
