"""A keeper whose faults are told by the tests: folders, a real catalog, a policy with an undo window of nothing."""

from collections.abc import Callable, Iterator

import pytest
from integration.keeper.house import House, houses

from tierkeeper.base.settings import Settings


@pytest.fixture
def house(settings_factory: Callable[..., Settings]) -> Iterator[House]:
    """Folders without fsync: a crash of the process is what is tried, not one of the machine."""
    quick = {"options": {"fsync": "no"}}
    cas = {"options": {"fsync": "no", "layout": "cas"}}
    with houses(settings_factory) as opener:
        yield opener(tiers={"hot": quick, "warm": cas, "cold": cas})
