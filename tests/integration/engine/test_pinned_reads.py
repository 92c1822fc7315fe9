"""Reads through S3 that meet other bytes than those that a copy's pin names."""

import pytest
from integration.engine.reconciling import CONTENT, overwrite
from integration.keeper.house import House, OpenHouse


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
