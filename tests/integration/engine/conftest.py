"""Keepers whose engine is taken apart; the invariants are asked after every test."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from support import catalogs
from support.catalogs import FOLDERS, Catalog
from support.house import House, OpenHouse, buckets, restored
from support.missing import states
from support.reconciling import CONTENT

from tierkeeper.embedded.postgres import Postgres
from tierkeeper.settings.settings import Settings


@pytest.fixture(params=["folders", "s3"])
def any_house(request: pytest.FixtureRequest, open_house: OpenHouse) -> House:
    """A keeper whose warm and cold tiers are folders, or buckets."""
    if request.param == "folders":
        return open_house(tiers=FOLDERS)
    return open_house(tiers=buckets(request.getfixturevalue("s3_endpoint")))


@pytest.fixture
def twice(any_house: House) -> House:
    """An artifact in warm and in cold."""
    return restored(any_house, CONTENT, to_tier="warm")


@pytest.fixture
def catalog(postgres_server: Postgres, catalog_template: str, settings_factory: Callable[..., Settings]) -> Catalog:
    """Opens a house on a new, empty catalog each time; the tiers are always the same."""
    return catalogs.opener(postgres_server, catalog_template, settings_factory)


@pytest.fixture
def apart(s3_house: House) -> House:
    """An artifact in warm and in cold, both of them buckets."""
    return restored(s3_house, CONTENT, to_tier="warm")


@pytest.fixture
def moved(s3_house: House) -> House:
    """An artifact whose copy in hot is doomed, and ripe; the one in warm, a bucket, stays."""
    s3_house.store(content=CONTENT, age=timedelta(days=10))
    s3_house.turn()
    assert states(s3_house) == {"hot": "doomed", "warm": "present"}
    return s3_house
