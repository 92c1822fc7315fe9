"""Makes stores from URLs as the keeper does, prepared; closed with the test."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from integration.stores.contract import MakeStore

from tierkeeper.base.states import Temperature
from tierkeeper.settings.groups import TierSettings
from tierkeeper.stores import factory
from tierkeeper.stores.base import Store


@pytest.fixture
def make_store() -> Iterator[MakeStore]:
    """The factory, with what it made closed afterwards."""
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
