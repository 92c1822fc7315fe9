"""Copies that a server made are as good as what they were made from: once that is seen to be wrong, they are read."""

from datetime import timedelta

import pytest
from support.copy_files import file_of, flip
from support.doubting import server, vouched
from support.house import House
from support.reconciling import CONTENT

from tierkeeper.base import callers
from tierkeeper.base.errors import ContentCorrupt
from tierkeeper.base.states import Vouched

_POLICY = (
    "name: moves\nmatch: {tenant: acme}\nwrite: all\nphases:\n"
    "  - {after: 0d, in: [hot, cold]}\n  - {after: 7d, in: [hot, warm, cold]}\n  - {after: 14d, in: [warm]}\n"
)


def copied_by_pin(house: House, *, flipped: bool) -> None:
    """Store to hot and cold, and let warm's server copy from hot by its pin; hot may have other bytes by then."""
    house.policy(_POLICY)
    house.store(content=CONTENT)
    house.sql("UPDATE placements SET pin = 'theirs' WHERE tier = 'hot'")
    server(house, "warm", Vouched.PINNED)
    cold = server(house, "cold")
    cold.away = True  # so that hot is the source
    if flipped:
        flip(file_of(house, "hot"))
    house.days_pass(8)
    house.turn()
    cold.away = False
    assert vouched(house, "warm") == ("pinned", "ours", False)


def test_what_was_copied_from_a_refuted_source_is_no_longer_believed(house: House) -> None:
    """The source's bytes went bad before the copy was made, and that is seen later: the right copy outlives both."""
    copied_by_pin(house, flipped=True)
    with pytest.raises(ContentCorrupt):
        house.read()  # it meets the bytes in hot
    event = [e.after or {} for e in house.keeper.events.select(type="damaged")][-1]
    told = (vouched(house, "warm"), event.get("unvouched"))
    house.days_pass(8)
    house.turn()
    house.collect()
    assert house.read() == CONTENT
    house.pass_time(timedelta(hours=2))
    house.settle()
    assert (house.tiers(), house.read()) == ({"warm"}, CONTENT)
    assert told == ((None, None, False), ["warm"])


def test_what_was_copied_from_a_source_that_went_missing_stays_believed(house: House) -> None:
    """That nothing is there any more says nothing of the bytes that were."""
    copied_by_pin(house, flipped=False)
    file_of(house, "hot").unlink()
    assert house.read() == CONTENT
    assert "damaged" in house.events()
    assert vouched(house, "warm") == ("pinned", "ours", False)
    house.settle()


def test_what_was_read_since_stays_believed(house: House) -> None:
    """A copy that a server made and that was read once is as good as what was read."""
    copied_by_pin(house, flipped=False)
    house.keeper.sweeps.verify(caller=callers.BEAT)
    flip(file_of(house, "hot"))
    house.keeper.sweeps.verify(caller=callers.BEAT)
    assert vouched(house, "warm") == ("pinned", "ours", True)
    house.settle()
