"""Keepers on real services; the invariants are asked after every test."""

from collections.abc import Callable, Iterator

import pytest
from support.house import House, OpenHouse, buckets, houses

from tierkeeper.settings.settings import Settings


@pytest.fixture
def open_house(settings_factory: Callable[..., Settings]) -> Iterator[OpenHouse]:
    """Opens keepers with settings of their own."""
    with houses(settings_factory) as opener:
        yield opener


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    """A keeper with folders for hot (readable), warm and cold, and the default policies."""
    return open_house(
        tiers={"warm": {"options": {"layout": "cas"}}, "cold": {"options": {"layout": "cas"}}},
    )


@pytest.fixture
def s3_house(open_house: OpenHouse, s3_endpoint: str) -> House:
    """A keeper with hot in a folder, warm and cold in two buckets of one S3 server."""
    return open_house(tiers=buckets(s3_endpoint))


@pytest.fixture
def braked(open_house: OpenHouse) -> House:
    """A keeper whose policies delete at most ten artifacts of a tenant a day."""
    return open_house(engine={"brake_share": 0, "brake_count": 10, "batch": 4})
