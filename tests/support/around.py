"""A store that stands before another and hands every call on: what stands there for a reason overrides some.

Bulk deletes come in batches of the size that every store takes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO, cast

from tierkeeper.base.states import RetentionMode
from tierkeeper.stores.base import DeleteResult, ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.tier_mark import TierMark


class Around(Store):
    """The store behind it, call by call."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner.config)
        self.inner = inner

    @property
    def realm(self) -> str:
        return self.inner.realm

    @property
    def site(self) -> str:
        return self.inner.site

    @property
    def bound(self) -> bool:
        return self.inner.bound

    @property
    def can_lock(self) -> bool:
        return self.inner.can_lock

    @property
    def readable_layout(self) -> bool:
        return self.inner.readable_layout

    @property
    def must_thaw(self) -> bool:
        return self.inner.must_thaw

    @property
    def storage_class(self) -> str | None:
        return self.inner.storage_class

    @property
    def is_database(self) -> bool:
        return self.inner.is_database

    def prepare(self) -> list[str]:
        return self.inner.prepare()

    def check(self) -> None:
        self.inner.check()

    def check_writes(self) -> None:
        self.inner.check_writes()

    def mark(self) -> TierMark | None:
        return self.inner.mark()

    def write_mark(self, mark: TierMark) -> TierMark:
        return self.inner.write_mark(mark)

    def replace_mark(self, mark: TierMark, *, over: TierMark | None) -> TierMark:
        return self.inner.replace_mark(mark, over=over)

    def location(self, info: ObjectInfo) -> str:
        return self.inner.location(info)

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        return self.inner.put(location, content, info)

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        return self.inner.copy(source, key, location, info)

    def head(self, key: ObjectKey) -> Stored:
        return self.inner.head(key)

    def describe(self, key: ObjectKey) -> ObjectInfo | None:
        return self.inner.describe(key)

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        with self.inner.open(key, offset=offset, length=length) as pieces:
            yield pieces

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        return self.inner.delete(keys)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return self.inner.list(prefix)

    def lock(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:
        return self.inner.lock(key, until=until, mode=mode)

    def extend(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:
        return self.inner.extend(key, until=until, mode=mode)

    def close(self) -> None:
        self.inner.close()


def broken(inner: Store, error: type[Exception], *names: str) -> Store:
    """Return a third party's store that raises ``error`` from these methods."""

    def fails(*_: object, **__: object) -> object:
        raise error("an adapter's own fault")

    return cast("type[Around]", type("Broken", (Around,), dict.fromkeys(names, fails)))(inner)
