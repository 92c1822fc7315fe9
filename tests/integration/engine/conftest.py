"""Keepers whose engine is taken apart; the invariants are asked after every test."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import services
from integration.engine.catalogs import FOLDERS, Catalog
from integration.engine.missing import states
from integration.engine.reconciling import CONTENT
from integration.keeper.house import AT_ONCE, House, OpenHouse, buckets, houses, initialized, restored

from tierkeeper.base.settings import Settings
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.keeper import Keeper


@pytest.fixture
def open_house(settings_factory: Callable[..., Settings]) -> Iterator[OpenHouse]:
    """Opens keepers with settings of their own."""
    with houses(settings_factory) as opener:
        yield opener


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    """A keeper with folders for hot (readable), warm and cold, and the default policies."""
    return open_house(tiers=FOLDERS)


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

    @contextmanager
    def opened(tiers: Mapping[str, Any] = FOLDERS) -> Iterator[House]:
        with services.fresh_database(postgres_server, template=catalog_template) as url:
            settings = settings_factory(engine=AT_ONCE, catalog={"url": url}, tiers=tiers)
            with Keeper.open(settings) as keeper:
                initialized(keeper)
                yield House(keeper, settings)

    return opened


@pytest.fixture
def s3_house(request: pytest.FixtureRequest, open_house: Callable[..., House]) -> House:
    """Warm and cold in buckets, at which each call goes where the name leads."""
    return open_house(tiers=buckets(request.getfixturevalue("s3_endpoint")))


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
