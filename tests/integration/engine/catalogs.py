"""What the tests of a lost catalog share: new catalogs before the same tiers, and what is in them."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from integration.keeper.house import House

from tierkeeper.base.values import Filter

FOLDERS = {"warm": {"options": {"layout": "cas"}}, "cold": {"options": {"layout": "cas"}}}

Catalog = Callable[..., AbstractContextManager[House]]


def contents(house: House) -> dict[str, bytes]:
    """Every live artifact's bytes, by its name and version."""
    found = {}
    for view in house.keeper.select(Filter(all_versions=True)):
        with house.keeper.open_artifact(view.ref) as reading:
            found[str(view.ref)] = b"".join(reading.chunks)
    return found
