"""Buckets that find nothing for a while though their mark is there, and what is done to houses that have one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from support.around import Around
from support.house import House
from support.reconciling import CONTENT, reconcile
from tierkeeper.base import callers
from tierkeeper.catalog import placements
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.stores.base import ObjectKey, Store, Stored
from tierkeeper.stores.errors import ObjectNotFound, StoreTransient
from tierkeeper.stores.s3.store import S3Store

Doing = Callable[[House], None]


class Emptied(Around):
    """A bucket that finds and lists nothing for a while, though its mark is there: what no mark tells."""

    empty = False

    def head(self, key: ObjectKey) -> Stored:
        if self.empty:
            raise ObjectNotFound(tier=self.config.tier, location=key.location)
        return self.inner.head(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return iter(()) if self.empty else self.inner.list(prefix)

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        if self.empty:
            raise ObjectNotFound(tier=self.config.tier, location=key.location)
        with self.inner.open(key, offset=offset, length=length) as chunks:
            yield chunks


class Busy(Around):
    """A store that takes nothing for a while."""

    def put(self, *_args: object, **_more: object) -> Stored:
        raise StoreTransient(tier=self.config.tier, reason="busy")

    def copy(self, *_args: object, **_more: object) -> Stored:
        raise StoreTransient(tier=self.config.tier, reason="busy")


def stand_before(house: House, tier: str, store: Store) -> None:
    """Let ``store`` take a tier's calls."""
    cast("dict[str, Store]", house.keeper.engine.stores)[tier] = store


def emptied(house: House, tier: str = "warm") -> Emptied:
    """Let a tier find nothing from now on, until ``empty`` is false."""
    store = Emptied(house.keeper.engine.store(tier))
    stand_before(house, tier, store)
    store.empty = True
    return store


def delete(house: House, tier: str = "warm") -> None:
    """Somebody deletes a tier's copies."""
    store = cast("S3Store", house.keeper.engine.store(tier))
    for row in house.sql("SELECT location FROM placements WHERE tier = :tier", tier=tier):
        store.place.client.delete_object(**store.place.address(row.location, None))


def write_over(house: House, tier: str = "warm", content: bytes = b"x" * len(CONTENT)) -> None:
    """Somebody writes these bytes over a tier's copy."""
    store = cast("S3Store", house.keeper.engine.store(tier))
    location = copy_in(house, tier).location
    store.place.client.put_object(**store.place.address(location, None), Body=content)


def contents(house: House) -> list[str]:
    """What lies in all tiers, but for what the catalog notes there."""
    return [found for found in house.everything() if "/.tierkeeper/" not in found]


def missed(house: House) -> int:
    """How many copies are suspects."""
    return int(house.sql("SELECT count(*) AS n FROM placements WHERE missed_at IS NOT NULL")[0].n)


def states(house: House) -> dict[str, str]:
    """The state of each tier's copy."""
    return {r.tier: r.state for r in house.sql("SELECT tier, state FROM placements ORDER BY made_at")}


def read_it(house: House) -> None:
    """A reader passes over the copy that is not found."""
    assert house.read() == CONTENT


def verify(house: House) -> None:
    """Verify reads every copy."""
    house.keeper.sweeps.verify(caller=callers.BEAT)


def compare(house: House) -> None:
    """Reconcile lists every tier."""
    reconcile(house)


def share(house: House) -> None:
    """The daily verify looks at the suspects whose quarantine is over."""
    house.keeper.sweeps.verify(share=0.001, caller=callers.BEAT)


def turn(house: House) -> None:
    """Its artifact is due then."""
    house.turn()


def copy_in(house: House, tier: str = "warm") -> PlacementRow:
    """The row of a tier's copy."""
    (row,) = house.sql("SELECT id FROM placements WHERE tier = :tier", tier=tier)
    with house.keeper.engine.catalog.reading() as connection:
        return placements.load(connection, [row.id])[0]
