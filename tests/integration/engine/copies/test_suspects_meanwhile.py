"""What goes on while a copy is a suspect: other steps, readers, verify, other places, clocks (R20)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.around import Around
from support.callers import TESTER
from support.house import House
from support.leading import damaged
from support.missing import (
    Busy,
    Doing,
    compare,
    delete,
    emptied,
    missed,
    stand_before,
    write_over,
)
from support.reconciling import CONTENT, QUARANTINE, reconcile, short

from tierkeeper.audit.catalog import CatalogRebuilt
from tierkeeper.base import callers
from tierkeeper.base.errors import NoReadableCopy
from tierkeeper.catalog import epochs
from tierkeeper.catalog.database import catalog_now
from tierkeeper.engine.read import reader
from tierkeeper.engine.reconcile import comparison, repair
from tierkeeper.engine.recovery import accept
from tierkeeper.engine.trust import places
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreError
from tierkeeper.values.findings import Finding, ReconcileLimits


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
    s3_house.keeper.sweeps.verify(caller=callers.BEAT)
    assert missed(s3_house) == 1
    make_due(s3_house)
    wait, *what = due(s3_house)
    assert (wait < timedelta(hours=1), what) == (True, [step, deletes])
    s3_house.pass_time(wait - timedelta(hours=30))  # long before it, the second look comes first
    make_due(s3_house)
    assert timedelta(hours=20) < due(s3_house)[0] < QUARANTINE
    store.empty = False
    stand_before(s3_house, tier, store.inner)
    s3_house.keeper.sweeps.verify(caller=callers.BEAT)


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
    with reader.opened(engine, reader.find(engine.catalog, apart.ref())) as opened:
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
    look = comparison.Comparison(
        engine, "warm", caller=TESTER, limits=limits, record=True, found=told.append, progress=print
    )
    apart.sql(
        "UPDATE placements SET missed_at = clock_timestamp() - CAST(:length AS interval) WHERE missed_at IS NOT NULL",
        length=limits.quarantine,
    )
    try:
        look.take()
        assert repair.repair(engine, look, caller=TESTER) == {"reported": 1}
    finally:
        look.close()
    assert short(told) == [("warm", "missing", "repair")]
    apart.settle()


def test_a_suspect_hides_no_copy(apart: House) -> None:
    """Where nothing but a suspect is present, verify reads what was called damaged too: it may be right."""
    apart.sql("UPDATE placements SET damaged_at = now() WHERE tier = 'cold'")
    store = emptied(apart)
    assert apart.keeper.sweeps.verify(caller=callers.BEAT).counts == {"not found": 1}
    assert apart.keeper.sweeps.verify(caller=callers.BEAT).counts == {"not found": 1, "healed": 1}
    assert (missed(apart), damaged(apart), apart.read()) == (1, 0, CONTENT)
    store.empty = False
    assert apart.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2, "found again": 1}


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
    result = apart.keeper.sweeps.verify(caller=callers.BEAT)
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
    s3_house.keeper.sweeps.verify(caller=callers.BEAT)


def adopted(house: House) -> None:
    """The operator adopts the tier's place, which another may stand for."""
    places.take_over(house.keeper.engine, "warm", caller=TESTER, reason="it was moved", lost=True)


def accepted(house: House) -> None:
    """The operator accepts a restored catalog, which compares it with the tiers."""

    def restored(connection: sa.Connection) -> None:
        now = catalog_now(connection)
        epochs.set_trust(connection, epochs.RESTORED, by="tester", reason="restored", now=now, event=CatalogRebuilt)

    house.keeper.engine.catalog.run(TESTER, restored)
    accept.accept(house.keeper.engine, caller=TESTER, reason="the disk died")


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
    assert apart.keeper.sweeps.verify(share=0.001, caller=callers.BEAT).counts == {"damaged": 1, "verified": 1}
    apart.settle()
