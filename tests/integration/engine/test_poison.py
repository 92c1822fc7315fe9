"""Items that break what handles them: each has its own outcome, and none stops its batch."""

from datetime import timedelta
from typing import BinaryIO

from integration.keeper.house import LEASES_END, House

from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.filesystem import FilesystemStore


class Poisoned(FilesystemStore):
    """A folder whose adapter has a fault of its own with one name: not a store's error, a programmer's."""

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        if info.name == "poison":
            raise RuntimeError("an adapter's own fault")
        return super().copy(source, key, location, info)

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        if info.name == "poison":
            raise RuntimeError("an adapter's own fault")
        return super().put(location, content, info)


def poison(house: House, tier: str) -> None:
    """Put the adapter with the fault in the place of a tier's own."""
    stores = dict(house.keeper.engine.stores)
    stores[tier] = Poisoned.from_url(stores[tier].config)
    object.__setattr__(house.keeper.engine, "stores", stores)


def test_a_fault_of_an_adapter_stops_only_its_item(house: House) -> None:
    """An error that no store should raise fails the one artifact; the others of its batch move on."""
    for name in ("a", "poison", "z"):
        house.store(name, name.encode(), age=timedelta(days=8))
    poison(house, "warm")
    house.turn()
    assert house.tiers("a") == house.tiers("z") == {"warm"}
    assert house.tiers("poison") == {"hot"}
    assert house.read("poison") == b"poison"


def test_a_fault_of_an_adapter_stops_only_its_item_of_a_store(house: House) -> None:
    """In a batch of stores the one that breaks the adapter has an error, and the others are stored."""
    poison(house, "hot")
    items = [house.args(name, name.encode()) for name in ("a", "poison", "z")]
    results = house.keeper.store_many(items, call=house.call())
    assert [type(r).__name__ for r in results] == ["StoreResult", "ItemError", "StoreResult"]
    house.pass_time(LEASES_END)
    house.settle()
