"""Keepers whose engine is taken apart; the invariants are asked after every test."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from integration.engine.reconciling import CONTENT
from integration.keeper.house import House, OpenHouse, houses

from tierkeeper.base.settings import Settings


@pytest.fixture
def open_house(settings_factory: Callable[..., Settings]) -> Iterator[OpenHouse]:
    """Opens keepers with settings of their own."""
    with houses(settings_factory) as opener:
        yield opener


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    """A keeper with folders for hot (readable), warm and cold, and the default policies."""
    return open_house(tiers={"warm": {"options": {"layout": "cas"}}, "cold": {"options": {"layout": "cas"}}})


@pytest.fixture(params=["folders", "s3"])
def any_house(request: pytest.FixtureRequest, open_house: OpenHouse) -> House:
    """A keeper whose warm and cold tiers are folders, or buckets."""
    if request.param == "folders":
        return open_house(tiers={"warm": {"options": {"layout": "cas"}}, "cold": {"options": {"layout": "cas"}}})
    endpoint = request.getfixturevalue("s3_endpoint")
    return open_house(
        tiers={
            "warm": {"url": f"s3://warm-bucket/some/prefix?endpoint={endpoint}"},
            "cold": {"url": f"s3://cold-bucket?endpoint={endpoint}"},
        }
    )


@pytest.fixture
def twice(any_house: House) -> House:
    """An artifact in warm and in cold."""
    any_house.store(content=CONTENT, age=timedelta(days=40))
    any_house.turn()
    any_house.restore(to_tier="warm")
    any_house.settle()
    assert any_house.tiers() == {"warm", "cold"}
    return any_house
