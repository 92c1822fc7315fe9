"""A folder that locks: the port's WORM locks kept beside the files, so that retention can be tried without S3."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from support.house import House
from tierkeeper.base.states import RetentionMode
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectKey
from tierkeeper.stores.filesystem.store import FilesystemStore


class Vault(FilesystemStore):
    """Deletes nothing that is locked, and shortens no lock; as S3 Object Lock in compliance mode."""

    locks: dict[str, datetime]

    @property
    def can_lock(self) -> bool:
        return True

    def lock(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:  # noqa: ARG002  the port's
        self.head(key)
        self.locks[key.location] = max(until, self.locks.get(key.location, until))
        return self.locks[key.location]

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        now = datetime.now(UTC)
        return [
            DeleteResult(key, DeleteState.LOCKED)
            if self.locks.get(key.location, now) > now
            else super(Vault, self).delete([key])[0]
            for key in keys
        ]

    def time_passes(self, length: timedelta) -> None:
        """Let time pass, as the house does in the catalog."""
        self.locks = {location: until - length for location, until in self.locks.items()}


def install(house: House, tier: str) -> Vault:
    """Let a vault serve a tier in the place of its folder."""
    stores: Any = house.keeper.engine.stores
    vault = Vault.from_url(stores[tier].config)
    vault.locks = {}
    stores[tier] = vault
    return vault
