"""What a store finds out about its server, kept in the catalog for every process."""

from collections.abc import Mapping
from dataclasses import dataclass

from tierkeeper.catalog import probes
from tierkeeper.catalog.database import Database


@dataclass(frozen=True, slots=True)
class CatalogMemory:
    """The memory of one tier's store."""

    catalog: Database
    tier: str

    def recall(self, server: str) -> Mapping[str, bool]:
        """Return what is known of ``server``; empty where nothing is."""
        with self.catalog.reading() as connection:
            return probes.seen(connection, self.tier, server=server)

    def keep(self, server: str, seen: Mapping[str, bool]) -> None:
        """Keep what was seen of ``server``."""
        self.catalog.run(lambda c: probes.keep(c, self.tier, server=server, seen=seen))
