"""Stores and keepers as the tests of several rooms need them; the invariants are asked after every keeper's test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from support.catalogs import FOLDERS
from support.house import House, OpenHouse, buckets, houses
from support.stored_objects import MakeStore

from tierkeeper.base.states import Temperature
from tierkeeper.settings.groups import TierSettings
from tierkeeper.settings.settings import Settings
from tierkeeper.stores import factory
from tierkeeper.stores.base import Store


@pytest.fixture
def make_store() -> Iterator[MakeStore]:
    """Makes stores from URLs as the keeper does, prepared; closed with the test."""
    with ExitStack() as stack:

        def make(
            url: str, *, tier: str = "hot", prepared: bool = True, catalog_url: str | None = None, **options: str
        ) -> Store:
            settings = TierSettings(url=url, temperature=Temperature.HOT, options=options)
            store = factory.make(tier, settings, io_threads=8, catalog_url=catalog_url)
            stack.callback(store.close)
            if prepared:
                store.prepare()
            return store

        yield make


@pytest.fixture
def open_house(settings_factory: Callable[..., Settings]) -> Iterator[OpenHouse]:
    """Opens keepers with settings of their own."""
    with houses(settings_factory) as opener:
        yield opener


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    """A keeper with folders for hot (readable), warm and cold, and the default policies."""
    return open_house(tiers=FOLDERS)


@pytest.fixture
def s3_house(open_house: OpenHouse, s3_endpoint: str) -> House:
    """A keeper with hot in a folder, warm and cold in two buckets, at which each call goes where the name leads."""
    return open_house(tiers=buckets(s3_endpoint))
