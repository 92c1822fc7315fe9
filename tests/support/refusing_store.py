"""A folder that refuses what is put into it, and how a tier gets another adapter than its own."""

from typing import BinaryIO, ClassVar

from support.house import House
from tierkeeper.stores.base import ObjectInfo, Stored
from tierkeeper.stores.errors import StoreError
from tierkeeper.stores.filesystem.store import FilesystemStore


class Refusing(FilesystemStore):
    """A folder that refuses: one name for what it is, or everything, as when its credentials are wrong."""

    refused: ClassVar[StoreError | None] = None

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        if self.refused is not None and (info.name == "poison" or not self.refused.of_object):
            raise self.refused
        return super().put(location, content, info)


def replace(house: House, tier: str, adapter: type[FilesystemStore]) -> None:
    """Put an adapter in the place of a tier's own."""
    stores = dict(house.keeper.engine.stores)
    stores[tier] = adapter.from_url(stores[tier].config)
    object.__setattr__(house.keeper.engine, "stores", stores)
