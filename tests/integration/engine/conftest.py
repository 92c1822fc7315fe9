"""Keepers whose engine is taken apart; the invariants are asked after every test."""

from collections.abc import Callable, Iterator

import pytest
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
