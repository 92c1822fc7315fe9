"""What the tests of a lost catalog share: new catalogs before the same tiers, and what is in them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from support import services
from support.house import AT_ONCE, House, initialized
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import Filter

FOLDERS = {"warm": {"options": {"layout": "cas"}}, "cold": {"options": {"layout": "cas"}}}

Catalog = Callable[..., AbstractContextManager[House]]


def opener(server: Postgres, template: str, settings_factory: Callable[..., Settings]) -> Catalog:
    """Open a house on a new, empty catalog each time; the tiers are always the same."""

    @contextmanager
    def opened(tiers: Mapping[str, Any] = FOLDERS, **groups: Mapping[str, Any]) -> Iterator[House]:
        with services.fresh_database(server, template=template) as url:
            settings = settings_factory(engine=AT_ONCE, catalog={"url": url}, tiers=tiers, **groups)
            with Keeper.open(settings) as keeper:
                initialized(keeper)
                yield House(keeper, settings)

    return opened


def contents(house: House) -> dict[str, bytes]:
    """Every live artifact's bytes, by its name and version."""
    found = {}
    for view in house.keeper.artifacts.select(Filter(all_versions=True)):
        with house.keeper.artifacts.open(view.ref) as reading:
            found[str(view.ref)] = b"".join(reading.chunks)
    return found
