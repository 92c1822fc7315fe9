"""A clock that is wrong for a while, the catalog's or this machine's, ends no quarantine early, and none for ever."""

from datetime import timedelta

import pytest
from support.clocks import wrong
from support.house import House
from support.leading import damaged, vital
from support.missing import copy_in, delete, missed, read_it
from support.reconciling import CONTENT, QUARANTINE, late, reconcile, short, there

from tierkeeper.base import callers
from tierkeeper.catalog import probes
from tierkeeper.policy.decision import when
from tierkeeper.values.health import Condition

MONTH = timedelta(days=30)
MINUTES = timedelta(minutes=10)


@pytest.fixture(params=["catalog", "machine"])
def which(request: pytest.FixtureRequest) -> str:
    """Whose clock is wrong."""
    return str(request.param)


@pytest.fixture(params=[-MONTH, MONTH], ids=["behind", "ahead"])
def by(request: pytest.FixtureRequest) -> timedelta:
    """By how much."""
    off: timedelta = request.param
    return off


def test_orphans_wait_for_both_clocks(house: House, which: str, by: timedelta) -> None:
    """A look by a wrong clock, the second or the first, deletes no orphan, nor do looks within minutes of it."""
    second = late(house)
    reconcile(house)
    with wrong(house, which, by):
        first = late(house, content=b"nobody knows this either")
        assert {f.action.value for f in reconcile(house)[1]} == {"quarantine"}
    house.pass_time(MINUTES)
    assert {f.action.value for f in reconcile(house)[1]} == {"quarantine"}
    assert (there(house, "warm", first), there(house, "warm", second)) == (True, True)
    house.pass_time(QUARANTINE)
    reconcile(house)
    house.pass_time(QUARANTINE)
    reconcile(house)
    assert (there(house, "warm", first), there(house, "warm", second)) == (False, False)


@pytest.mark.parametrize("first", [True, False], ids=["the first look", "the second look"])
def test_suspects_wait_for_both_clocks(apart: House, which: str, by: timedelta, *, first: bool) -> None:
    """A look by a wrong clock makes no copy damaged, nor do looks within minutes of it."""
    delete(apart)
    if not first:
        reconcile(apart)
    with wrong(apart, which, by):
        reconcile(apart)
        read_it(apart)  # who looks at copies that the listing of a look is too early for
    apart.pass_time(MINUTES)
    reconcile(apart)
    apart.keeper.sweeps.verify(share=0.001, caller=callers.BEAT)
    assert (missed(apart), damaged(apart)) == (1, 0)
    apart.pass_time(QUARANTINE)
    apart.turn()
    apart.settle()
    assert (apart.tiers(), missed(apart), apart.read()) == ({"warm", "cold"}, 0, CONTENT)


def test_health_tells_of_clocks_that_are_apart(house: House, which: str, by: timedelta) -> None:
    """What waits for both clocks waits in nobody's silence."""
    assert vital(house, "clock") == (Condition.OK, "")
    with wrong(house, which, by):
        condition, told = vital(house, "clock")
    assert (condition, "30d apart" in told) == (Condition.BAD, True), told


def test_a_machine_that_is_ahead_hides_no_copy_from_verify(apart: House) -> None:
    """What was read in a time to come by the catalog's clock, which noted it, is read again."""
    apart.sql("UPDATE placements SET verified_at = now() + interval '1 day'")
    with wrong(apart, "machine", MONTH):
        assert apart.keeper.sweeps.verify(share=1.0, caller=callers.BEAT).counts == {"verified": 2}


def test_a_first_look_in_the_time_to_come_is_none(apart: House) -> None:
    """The clock was ahead at the first look, and put right: the copy is missed anew now, and made anew after a day."""
    delete(apart)
    reconcile(apart)
    apart.sql("UPDATE placements SET missed_at = missed_at + interval '1 year' WHERE missed_at IS NOT NULL")
    apart.keeper.sweeps.verify(share=0.001, caller=callers.BEAT)
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
    assert apart.keeper.sweeps.verify(share=1.0, caller=callers.BEAT).counts["verified"] == 2
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
    apart.keeper.engine.catalog.run(callers.TIERKEEPER, probes.keep, "warm", server="s", seen={"a": True})
    with apart.keeper.engine.catalog.reading() as connection:
        assert probes.recorded(connection, "warm", server="s") == {"a": True}
    apart.sql("UPDATE switches SET at = at + interval '1 year' WHERE name = 'probe:warm'")
    with apart.keeper.engine.catalog.reading() as connection:
        assert probes.recorded(connection, "warm", server="s") == {}
