"""The probed abilities of a store's server, kept in the catalog for every process."""

from collections.abc import Mapping
from dataclasses import dataclass

from tierkeeper.base.callers import TIERKEEPER
from tierkeeper.catalog import probes
from tierkeeper.catalog.database import Database


@dataclass(frozen=True, slots=True)
class CatalogMemory:
    """The :class:`tierkeeper.stores.base.Memory` of one tier's store."""

    catalog: Database
    tier: str

    def recall(self, server: str) -> Mapping[str, bool]:
        """Return the known abilities of ``server``, by name; empty where none is known."""
        with self.catalog.reading() as connection:
            return probes.recorded(connection, self.tier, server=server)

    def keep(self, server: str, seen: Mapping[str, bool]) -> None:
        """Store, by name, which abilities ``server`` was seen to have or to lack; others that are known stay."""
        self.catalog.run(TIERKEEPER, probes.keep, self.tier, server=server, seen=seen)
