"""Folders that copy on their own side, as S3 servers do that give no checksum: nobody looks at the bytes on the way.

Where they heed pins, a pin is what S3's ETag is: made from the bytes, given with each answer, and a copy or a read that
names another one is refused.
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from support.around import Around
from support.house import House
from support.vault import Vault

from tierkeeper.base.states import Vouched
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound
from tierkeeper.stores.filesystem.store import FilesystemStore


class Unheeding(Vault):
    """Copies what is there, whatever it is."""

    heeds = False

    def path(self, location: str) -> Path:
        """Where the bytes lie."""
        return Path(urlsplit(self.config.url).path) / location

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        stored = super().put(location, content, info)
        return replace(stored, pin=self._pin(location))

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        while isinstance(source, Around):
            source = source.inner
        assert isinstance(source, Unheeding)
        source.refuse(key)
        data = source.path(key.location).read_bytes()
        as_it_is = replace(info, sha256=hashlib.sha256(data).digest(), size=len(data))
        stored = super().put(location, io.BytesIO(data), as_it_is)
        pinned = Vouched.PINNED if source.heeds and key.pin is not None else None
        return replace(stored, sha256=None, vouched=pinned, pin=self._pin(location))

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        self.refuse(key)
        with super().open(key, offset=offset, length=length) as pieces:
            yield pieces

    def refuse(self, key: ObjectKey) -> None:
        """Raise as the server does where nothing is there, or something else than the pin names."""
        if not self.path(key.location).exists():
            raise ObjectNotFound(tier=self.config.tier, location=key.location)
        if key.pin is not None and self._pin(key.location) not in {None, key.pin}:
            raise ContentMismatch(tier=self.config.tier, location=key.location, reason="its ETag is another: 412")

    def _pin(self, location: str) -> str | None:
        return hashlib.sha256(self.path(location).read_bytes()).hexdigest()[:16] if self.heeds else None


def install(house: House) -> dict[str, Unheeding]:
    """Let such folders serve every tier that is a folder; returns them by tier."""
    stores: Any = house.keeper.engine.stores
    folders = {tier: store for tier, store in stores.items() if isinstance(store, FilesystemStore)}
    made = {tier: Unheeding.from_url(store.config) for tier, store in folders.items()}
    for store in made.values():
        store.locks = {}
    stores.update(made)
    return made
