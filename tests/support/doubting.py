"""What the tests of vouching share: stores that copy on their own side, and copies that are in doubt."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from support.house import House
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.states import Vouched
from tierkeeper.catalog import placements
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, StoreTransient
from tierkeeper.stores.filesystem.store import FilesystemStore

WEEK = timedelta(days=8)  # old enough for warm, by the default policy


class Server(FilesystemStore):
    """A folder that copies on its own side without looking at the bytes, and says what it was told to say of them."""

    says: Vouched | None = None
    archive = False
    away = False
    copied = 0
    etag: str | None = None  # of what lies here, where it refuses another pin
    tells: type[TierkeeperError] | None = None  # what it raises after the first chunk

    @property
    def must_thaw(self) -> bool:
        return self.archive

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        self.copied += 1
        with source.open(ObjectKey(key.location)) as pieces:
            data = b"".join(pieces)
        as_it_is = replace(info, sha256=hashlib.sha256(data).digest(), size=len(data))
        stored = super().put(location, io.BytesIO(data), as_it_is)
        return replace(stored, sha256=None, vouched=self.says, pin="ours")

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        if self.away:
            raise StoreTransient(tier=self.config.tier, reason="it is away")
        if self.etag is not None and key.pin not in {None, self.etag}:
            raise ContentMismatch(tier=self.config.tier, location=key.location, reason="others are there: 412")
        with super().open(ObjectKey(key.location), offset=offset, length=length) as pieces:
            yield pieces if self.tells is None else self._broken(pieces, key, self.tells)

    def _broken(self, pieces: Iterator[bytes], key: ObjectKey, told: type[TierkeeperError]) -> Iterator[bytes]:
        yield next(pieces)
        raise told(tier=self.config.tier, location=key.location, reason="others are there since")


def server(house: House, tier: str, says: Vouched | None = None) -> Server:
    """Put such a store in a tier's place."""
    stores: Any = house.keeper.engine.stores
    made = stores[tier] = Server.from_url(stores[tier].config)
    made.says = says
    return made


def doubt(house: House, tier: str) -> None:
    """Forget who vouches for the copies in a tier, as the migration does."""
    house.sql("UPDATE placements SET vouched = NULL, pin = NULL, verified_at = NULL WHERE tier = :tier", tier=tier)


def vouched(house: House, tier: str) -> tuple[str | None, str | None, bool]:
    """Who vouches for the present copy in a tier, its pin, and whether it was read."""
    (row,) = house.sql(
        "SELECT vouched, pin, verified_at FROM placements WHERE tier = :tier AND state = 'present'", tier=tier
    )
    return row.vouched, row.pin, row.verified_at is not None


def kept(house: House) -> set[str]:
    """The tiers with a present copy, damaged ones too."""
    return {row.tier for row in house.sql("SELECT tier FROM placements WHERE state = 'present'")}


def row_of(house: House, tier: str) -> PlacementRow:
    """The catalog's row of the copy in a tier."""
    (row,) = house.sql("SELECT id FROM placements WHERE tier = :tier", tier=tier)
    with house.keeper.engine.catalog.reading() as connection:
        return placements.load(connection, [row.id])[0]


def pins(house: House, tier: str = "warm") -> list[str | None]:
    """What names the bytes of a tier's copies."""
    return [row.pin for row in house.sql("SELECT pin FROM placements WHERE tier = :tier", tier=tier)]
