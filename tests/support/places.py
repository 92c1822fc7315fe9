"""Folder tiers whose place can be taken away, with nothing or something else standing there instead.

A place that is *called* behaves as a bucket: its requests go where its name leads at that moment, and nobody looks at
the mark within them.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

from support.around import Around
from support.house import House
from support.vault import Vault
from tierkeeper.base.states import RetentionMode
from tierkeeper.stores import layout
from tierkeeper.stores.base import DeleteResult, ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.tier_mark import Guard, TierMark

OPERATIONS = ("put", "copy", "open", "delete", "head", "list")
#: what stands there instead: no folder, one with nothing in it, one that somebody prepared, another catalog's tier, and
#: another catalog's with all the bytes that ours has
INSTEAD = ("nothing", "empty", "prepared", "another", "clone")


@dataclass(frozen=True, slots=True)
class Leaving:
    """When a place goes: before or after the next call of an operation, and what stands there then."""

    operation: str
    before: bool
    instead: str


class Place(Around):
    """A tier's own place, or what stands there instead."""

    def __init__(self, inner: Vault, guard: Guard, *, called: bool) -> None:
        super().__init__(inner)
        inner.guard = None if called else guard
        self.vault, self.called = inner, called
        self.root = Path(urlsplit(inner.config.url).path)
        self.aside = self.root.with_name(f"{self.root.name}-aside")
        self.leaving: Leaving | None = None
        self.instead: str | None = None
        self.unread = False  # whether its mark was read some time before it went, and not just before
        self._stood: dict[str, bytes] | None = None  # what stood there when it went
        self._locks: dict[str, datetime] = {}
        self._lock = Lock()

    @property
    def bound(self) -> bool:
        return not self.called

    # -- away and back

    def leave(self, instead: str, *, unread: bool = False) -> None:
        """Take the place away."""
        self.unread = unread
        self.root.rename(self.aside)
        if instead == "clone":
            shutil.copytree(self.aside, self.root)
        elif instead != "nothing":
            self.root.mkdir()
        if instead in {"prepared", "another"} or (instead == "empty" and self.called):
            (self.root / layout.STAGING).mkdir()
        if instead in {"another", "clone"}:
            mark = TierMark(catalog=uuid4(), line=uuid4(), tier=self.config.tier, made=datetime.now(UTC))
            path = self.root / layout.MARK
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(mark.as_bytes())
        self._locks, self.vault.locks = self.vault.locks, {}
        self.instead, self._stood = instead, self._files()

    def come_back(self) -> None:
        """Bring the place back; it comes alone."""
        self.leaving = None
        if self.instead is not None:
            shutil.rmtree(self.root, ignore_errors=True)
            self.aside.rename(self.root)
            self.vault.locks, self.instead = self._locks, None

    @contextmanager
    def at_home(self) -> Iterator[None]:
        """The place is where it should be while this lasts, and stays there."""
        leaving, self.leaving = self.leaving, None
        with self._put_back() if self.instead is not None else nullcontext():
            yield
        self.leaving = leaving

    @contextmanager
    def _put_back(self) -> Iterator[None]:
        other, locks = self.root.with_name(f"{self.root.name}-other"), self.vault.locks
        if self.root.exists():
            self.root.rename(other)
        self.aside.rename(self.root)
        self.vault.locks = self._locks
        try:
            yield
        finally:
            self._locks, self.vault.locks = self.vault.locks, locks
            self.root.rename(self.aside)
            if other.exists():
                other.rename(self.root)

    def touched(self) -> bool:
        """Whether somebody wrote or deleted in what stands there instead, who could have known."""
        could_know = self.unread or not self.called
        return self.instead is not None and could_know and self._files() != self._stood

    def time_passes(self, length: timedelta) -> None:
        """Let time pass for the locks of both places."""
        self.vault.time_passes(length)
        self._locks = {location: until - length for location, until in self._locks.items()}

    def _files(self) -> dict[str, bytes] | None:
        if not self.root.exists():
            return None
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}

    # -- calls

    @contextmanager
    def _call(self, operation: str) -> Iterator[None]:
        with self._lock:
            going = self.leaving
            if going is None or going.operation != operation:
                going = None
            else:
                self.leaving = None
                if going.before:
                    self.leave(going.instead)
        try:
            yield
        finally:
            if going is not None and not going.before:
                self.leave(going.instead)

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        with self._call("put"):
            return self.inner.put(location, content, info)

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        with self._call("copy"):
            return self.inner.copy(source, key, location, info)

    def head(self, key: ObjectKey) -> Stored:
        with self._call("head"):
            return self.inner.head(key)

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        with self._call("open"), self.inner.open(key, offset=offset, length=length) as pieces:
            yield pieces

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        with self._call("delete"):
            return self.inner.delete(keys)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        with self._call("list"):
            yield from self.inner.list(prefix)

    def extend(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:
        with self._call("extend"):
            return self.inner.extend(key, until=until, mode=mode)


def install(house: House, *, called: bool) -> dict[str, Place]:
    """Let such places serve every tier that is a folder; returns them by tier."""
    stores: Any = house.keeper.engine.stores
    made: dict[str, Place] = {}
    for tier, store in stores.items():
        if isinstance(store, FilesystemStore):
            vault = Vault.from_url(store.config)
            vault.locks = {}
            made[tier] = Place(vault, house.keeper.engine.marks.guard(vault), called=called)
    stores.update(made)
    return made
