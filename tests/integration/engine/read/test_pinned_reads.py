"""Reads through S3 that meet other bytes than those that a copy's pin names."""

import pytest
from support.callers import TESTER
from support.doubting import server
from support.house import House, OpenHouse
from support.reconciling import CONTENT, overwrite

from tierkeeper.base.errors import ContentCorrupt
from tierkeeper.stores.errors import ContentMismatch, StoreTransient


@pytest.fixture
def buckets(open_house: OpenHouse, s3_endpoint: str) -> House:
    """A keeper that writes to warm and cold at once, which are buckets."""
    house = open_house(
        tiers={tier: {"url": f"s3://{tier}-bucket?endpoint={s3_endpoint}"} for tier in ("warm", "cold")},
    )
    house.policy("name: two\nmatch: {tenant: acme}\nwrite: all\nphases: [{after: 0d, in: [warm, cold]}]\n")
    return house


def test_what_the_server_refuses_by_its_pin_is_reported(buckets: House) -> None:
    """The copy is passed over, reported as a missing one is, and made anew from the other."""
    buckets.store(content=CONTENT)
    (row,) = buckets.sql("SELECT pin FROM placements WHERE tier = 'warm'")
    assert row.pin is not None
    overwrite(buckets, "warm", CONTENT.upper())
    assert buckets.read() == CONTENT
    assert "damaged" in buckets.events()
    buckets.settle()
    assert (buckets.tiers(), buckets.read()) == ({"warm", "cold"}, CONTENT)


def test_what_is_told_between_chunks_is_reported(house: House) -> None:
    """As on opening, where the store tells it again; of a range too."""
    house.store(content=CONTENT)
    store = server(house, "hot")
    store.tells = ContentMismatch
    with pytest.raises(ContentCorrupt), house.keeper.artifacts.open(house.ref(), offset=1) as reading:
        list(reading.chunks)
    assert house.events().count("damaged") == 1
    store.tells = None
    assert house.keeper.sweeps.reconcile(caller=TESTER).counts["healed"] == 1
    house.settle()


def test_what_is_told_once_between_chunks_is_no_damage(house: House) -> None:
    """The reader tries again, and nothing is reported."""
    house.store(content=CONTENT)
    store = server(house, "hot")
    store.tells = ContentMismatch
    with house.keeper.artifacts.open(house.ref()) as reading:
        store.tells = None  # the reader's stream has begun, and breaks; the look after it does not
        with pytest.raises(StoreTransient):
            list(reading.chunks)
    assert "damaged" not in house.events()
    assert house.read() == CONTENT
