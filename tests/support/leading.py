"""What the tests of tier marks share: tiers whose name leads to another place at times."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, cast

from support.around import Around
from support.house import House
from tierkeeper.base import callers
from tierkeeper.stores.base import DeleteResult, ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.s3.store import S3Store
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper.values.health import Condition


class Led(Around):
    """A store whose name leads to another place at times, as the engine sees one: between calls, or within one."""

    def __init__(self, inner: Store, other: Store) -> None:
        super().__init__(inner)
        self.ours, self.other = inner, other
        self.leaves_at_delete = self.returns_after_put = False
        self.opens_elsewhere = 0  # after so many reads it is back

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        if self.leaves_at_delete:
            self.inner, self.leaves_at_delete = self.other, False
        return self.inner.delete(keys)

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        self.opens_elsewhere -= 1
        try:
            with super().open(key, offset=offset, length=length) as chunks:
                yield chunks
        finally:
            if self.opens_elsewhere == 0:
                self.inner = self.ours

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        stored = self.inner.put(location, content, info)
        if self.returns_after_put:
            self.inner, self.returns_after_put = self.ours, False
        return stored

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """The name leads to the other place while this lasts."""
        self.inner = self.other
        try:
            yield
        finally:
            self.inner = self.ours


class Overtaken(Around):
    """A store at which another host's init comes first, right before a mark is written."""

    def __init__(self, inner: Store, other: House) -> None:
        super().__init__(inner)
        self.other = other

    def write_mark(self, mark: TierMark) -> TierMark:
        self.other.keeper.init(caller=callers.INIT)
        return super().write_mark(mark)


def led(house: House, tier: str) -> Led:
    """Let a tier on S3 lead elsewhere at times: to an empty bucket that is there."""
    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    store = cast("S3Store", stores[tier])
    store.place.client.create_bucket(Bucket="another-bucket")
    url = (
        house.settings.tiers[tier]
        .url.replace(f"{tier}-bucket/some/prefix", "another-bucket")
        .replace(f"{tier}-bucket", "another-bucket")
    )
    endpoint = str(store.config.options["endpoint"])
    other = S3Store.from_url(type(store.config)(tier=tier, url=url.partition("?")[0], options={"endpoint": endpoint}))
    stores[tier] = Led(store, other)
    return cast("Led", stores[tier])


@contextmanager
def away(house: House, tier: str, how: str) -> Iterator[None]:
    """Take a tier's place away: its folder is ``missing``, or ``empty``; or its name leads to another bucket."""
    store = house.keeper.engine.store(tier)
    if isinstance(store, S3Store):
        with led(house, tier).elsewhere():
            yield
        return
    root = cast("FilesystemStore", store)._tree.root
    root.rename(root.with_name(f"{root.name}-unmounted"))
    if how != "missing":
        root.mkdir()
    if how == "prepared":
        (root / ".tmp").mkdir()
    try:
        yield
    finally:
        shutil.rmtree(root, ignore_errors=True)
        root.with_name(f"{root.name}-unmounted").rename(root)


def damaged(house: House) -> int:
    """How many copies are called damaged."""
    return int(house.sql("SELECT count(*) AS n FROM placements WHERE damaged_at IS NOT NULL")[0].n)


def vital(house: House, name: str) -> tuple[Condition, str]:
    """What the health says of something."""
    (found,) = [v for v in house.keeper.health.check().vitals if v.name == name]
    return found.condition, found.detail
