"""A catalog with something in it, to knock against its walls."""

from collections.abc import Callable, Iterator

import pytest
from support.house import House, houses

from tierkeeper.settings.settings import Settings


@pytest.fixture
def house(settings_factory: Callable[..., Settings]) -> Iterator[House]:
    """A keeper with one artifact ``a`` in hot."""
    with houses(settings_factory) as opener:
        opened = opener()
        opened.store()
        yield opened
