"""Right bytes in a place that is not the tier's own: they heal, lock, bring back and prove nothing (R19).

The place is a clone with another catalog's mark, of a store that is called: only the mark tells it from the tier.
"""

from datetime import UTC, datetime, timedelta

import pytest
from support import places
from support.callers import TESTER
from support.house import House
from support.places import Leaving, Place
from support.reconciling import CONTENT, WEEK, write

from tierkeeper.base import callers
from tierkeeper.base.states import RetentionMode
from tierkeeper.catalog import placements
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.copies import damage, worm
from tierkeeper.engine.copies.opener import key_of
from tierkeeper.engine.recovery import adopt, dump
from tierkeeper.engine.recovery.adopt import Adoption, Object
from tierkeeper.engine.trust import epoch
from tierkeeper.stores.errors import TierNotOurs


@pytest.fixture
def called(house: House) -> dict[str, Place]:
    """The house's tiers, as places that are called; an artifact is in cold."""
    made = places.install(house, called=True)
    house.store(content=CONTENT, age=WEEK)
    house.archive()
    house.settle()
    assert house.tiers() == {"cold"}
    return made


def copy_of(house: House) -> PlacementRow:
    """The one copy."""
    with house.keeper.engine.catalog.reading() as connection:
        (row,) = house.sql("SELECT id FROM placements")
        return placements.load(connection, [row.id])[0]


def test_a_clone_heals_nothing(house: House, called: dict[str, Place]) -> None:
    """A copy whose bytes are right in another place is as damaged as before."""
    house.sql("UPDATE placements SET damaged_at = now()")
    called["cold"].leave("clone")
    assert damage.heal(house.keeper.engine, copy_of(house), caller=TESTER) is False
    assert copy_of(house).damaged_at is not None
    called["cold"].come_back()
    assert damage.heal(house.keeper.engine, copy_of(house), caller=TESTER) is True
    house.settle()


@pytest.mark.parametrize("leaves", ["before", "within"])
def test_a_lock_in_a_clone_is_none(house: House, called: dict[str, Place], leaves: str) -> None:
    """What was locked in another place is due again; the lock is put where the bytes are, and then it is noted."""
    engine, place, copy = house.keeper.engine, called["cold"], copy_of(house)
    wanted = worm.RetentionLock(
        copy.id, "cold", key_of(copy.form), datetime.now(UTC) + timedelta(days=3), RetentionMode.GOVERNANCE
    )
    if leaves == "before":
        place.leave("clone")
    else:
        place.leaving = Leaving("extend", before=True, instead="clone")
    assert worm.apply(engine, [wanted]) == []
    assert copy_of(house).locked_until is None
    assert bool(place.vault.locks) is (leaves == "within")  # the clone's: it was asked within the batch only
    place.come_back()
    assert place.vault.locks == {}
    assert worm.apply(engine, [wanted]) == [copy.id]
    assert copy_of(house).locked_until == place.vault.locks[copy.location]
    place.vault.locks.clear()


def test_a_dump_in_a_clone_is_none(house: House, called: dict[str, Place]) -> None:
    """A dump that was written and read back in another place has failed."""
    called["cold"].leaving = Leaving("put", before=True, instead="clone")
    engine = house.keeper.engine
    with pytest.raises(TierNotOurs):
        dump.dump(engine, caller=TESTER)
    called["cold"].come_back()
    assert dump.listed(engine) == []
    dump.dump(engine, caller=TESTER)
    assert len(dump.listed(engine)) == 1


def test_a_place_without_twins_trusts_no_catalog(house: House, called: dict[str, Place]) -> None:
    """An older catalog is not taken for the newest one because its coldest tier leads to where no twins are."""
    engine = house.keeper.engine
    epoch.advance(engine, caller=callers.BEAT)
    before = house.sql("SELECT value::text AS value FROM switches WHERE name = 'epoch'")[0].value
    epoch.advance(engine, caller=callers.BEAT)
    house.sql("UPDATE switches SET value = CAST(:value AS jsonb) WHERE name = 'epoch'", value=before)
    called["cold"].leave("prepared")
    assert "cannot be read" in str(epoch.check(engine, caller=callers.BEAT))
    called["cold"].come_back()
    assert "epoch 3" in str(epoch.check(engine, caller=callers.BEAT))


def test_objects_of_a_clone_are_not_taken_over(house: House, called: dict[str, Place]) -> None:
    """Objects that were read in another place become no artifacts: they are read again where they should be."""
    one = Object("cold", write(house, "cold", b"of an older catalog"), None, len(b"of an older catalog"))

    def taken() -> list[Adoption]:
        done = adopt.adopt(house.keeper.engine, [one], caller=TESTER, run=None, dry_run=False)
        return [found.what for found in done]

    called["cold"].leave("clone")
    assert taken() == [Adoption.UNREAD]
    called["cold"].come_back()
    assert taken() == [Adoption.ARTIFACT]
    assert house.read("other") == b"of an older catalog"
