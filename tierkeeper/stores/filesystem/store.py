"""A folder as a store: every copy is a file of its own with a JSON sidecar that describes it.

``file:///srv/tiers/hot?layout=readable`` (options: ``layout=readable|cas``, ``fsync=yes|no``; ``fsync=no`` is for tests
and benchmarks: a power cut may then lose acknowledged copies).

:mod:`tierkeeper.stores.filesystem.writing` says how a copy is made, and what a crash leaves.
"""

import contextlib
import datetime as dt
import json
import os
import stat
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from tierkeeper.base.clock import utc
from tierkeeper.base.states import Vouched
from tierkeeper.stores import layout
from tierkeeper.stores.base import (
    DeleteResult,
    DeleteState,
    ModesLook,
    ObjectInfo,
    ObjectKey,
    Put,
    Store,
    StoreConfig,
    Stored,
)
from tierkeeper.stores.content import pieces_of
from tierkeeper.stores.errors import ContentMismatch, StoreError, StorePermanent, StoreUnusable
from tierkeeper.stores.filesystem import modes, tier_mark, writing
from tierkeeper.stores.filesystem.tree import FOLDER_MODE, Tree, translated
from tierkeeper.stores.filesystem.writing import SIDECAR, WrittenFile
from tierkeeper.stores.options import Options
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper_client import files, urls
from tierkeeper_client.digest import CHUNK

_TOGETHER = 50  # copies: one sync of the file system waits for what strangers wrote, too
_PROBE = b"tierkeeper\n" * 400  # more than a block: an empty file fits on a full disk


class FilesystemStore(Store):
    """Copies as files below one folder."""

    def __init__(self, config: StoreConfig, *, root: Path, readable: bool, durable: bool) -> None:
        super().__init__(config)
        self._readable = readable
        self._tree = Tree(root, tier=config.tier, durable=durable, admit=self._admit)
        self._admitted: tuple[tier_mark.FileIdentity, TierMark] | None = None

    @classmethod
    def from_url(cls, config: StoreConfig) -> Self:
        """Make the store of ``file:///folder``; raises BadTierUrl."""
        options = Options(config)
        place = urls.parse(config.url)
        root = Path(place.path)
        if place.host not in {"", "localhost"} or not root.is_absolute():
            raise options.bad(f"{config.url} has no absolute path.", "Write file:///folder, with three slashes.")
        if not place.path.isascii() and not files.utf8_names():
            problem = f"{config.url} is not ASCII, and the locale of this process is not UTF-8: it would name others."
            raise options.bad(problem, "Give the process a UTF-8 locale, such as LC_ALL=C.UTF-8.")
        readable = options.choice("layout", "readable", "cas") != "cas"
        durable = options.flag("fsync") is not False
        options.finish()
        return cls(config, root=root, readable=readable, durable=durable)

    @property
    def realm(self) -> str:
        """One realm for all folders of this machine: the process that reads one and writes the other makes the copy."""
        return "file:"

    @property
    def site(self) -> str:
        """The folder."""
        return f"folder {self._tree.root}"

    @property
    def bound(self) -> bool:
        """True: each call works beneath the root that it opened, and reads the mark beneath the same root."""
        return True

    @property
    def readable_layout(self) -> bool:
        """Whether the layout is the readable one."""
        return self._readable

    def prepare(self) -> list[str]:
        """Create the folder, and in it the one for unfinished files."""
        staging = self._tree.root / layout.STAGING
        if staging.is_dir():
            return []
        try:
            files.make_folders(staging, FOLDER_MODE)
        except OSError as error:
            if isinstance(error, FileNotFoundError | FileExistsError):
                raise StoreUnusable(tier=self.config.tier, reason=f"{self._tree.root} cannot be a folder") from error
            raise translated(error, tier=self.config.tier, location=str(self._tree.root)) from error
        return [f"folder {self._tree.root}"]

    def check(self) -> None:
        """Raise StoreError if the folder is missing or not the tier's own."""
        with self._tree.opened():
            pass

    def check_writes(self) -> None:
        """Write an unfinished file, read it back and remove it: a disk that is full or read-only refuses one."""
        name = f"probe.{uuid.uuid4().hex}"
        with self._translated(str(self._tree.root)), self._tree.folder([layout.STAGING]) as staging:
            try:
                with writing.new_file(name, staging, 0o600) as written:
                    writing.write_all(written, _PROBE)
                    self._tree.sync(written)
                with files.reading(name, folder=staging) as file:
                    if file.read() != _PROBE:
                        reason = "what was written for a probe is not what is read"
                        raise ContentMismatch(tier=self.config.tier, location=name, reason=reason)
            finally:
                writing.remove([name], staging)

    def mark(self) -> TierMark | None:
        """Return the mark beneath the root."""
        with self._translated(layout.MARK), self._tree.bare() as root:
            found = tier_mark.read(self._tree, root)
        return None if found is None else found[1]

    def write_mark(self, mark: TierMark) -> TierMark:
        """Link the mark to its path unless that exists."""
        with self._translated(layout.MARK):
            return tier_mark.write(self._tree, mark)

    def replace_mark(self, mark: TierMark, *, over: TierMark | None) -> TierMark:
        """Move the mark over exactly ``over``, under a lock of its folder."""
        with self._translated(layout.MARK):
            return tier_mark.replace(self._tree, mark, over=over)

    def location(self, info: ObjectInfo) -> str:
        """Return the location for a new placement."""
        return layout.readable(info) if self._readable else layout.content_addressed(info)

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        """Write a copy; the steps are those of :mod:`tierkeeper.stores.filesystem.writing`."""
        return self._write(location, pieces_of(content, info.size), info)

    @property
    def puts_together(self) -> int:
        """Fifty, where the file system can be told to make all of them durable at once, or none need be."""
        with self._translated(str(self._tree.root)):
            return _TOGETHER if writing.is_cheaper_together(self._tree) else 0

    def put_many(self, puts: Sequence[Put]) -> list[Stored | Exception]:
        """Write copies together; the steps are those of :mod:`tierkeeper.stores.filesystem.writing`.

        One by one where the file system says nothing of all.
        """
        if not self.puts_together:
            return super().put_many(puts)
        with self._translated(str(self._tree.root)):
            results = writing.write_many(self._tree, puts)
        return [self._result(put.location, result) for put, result in zip(puts, results, strict=True)]

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        """Copy the bytes from another folder, never by a link: damage to one file must not damage both."""
        with source.open(key) as pieces:
            return self._write(location, pieces, info)

    def head(self, key: ObjectKey) -> Stored:
        """Return the file's status. The SHA-256 is that of the bytes on writing, from the sidecar."""
        with self._beneath(key.location) as (fd, name):
            status = os.stat(files.system_name(name), dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise StorePermanent(tier=self.config.tier, reason=f"{key.location} is not a file")
            return _stored(key.location, status, self._recorded_sha256(fd, name, status.st_size))

    def describe(self, key: ObjectKey) -> ObjectInfo | None:
        """Return what the sidecar says; None where it is lost or damaged."""
        with self._beneath(key.location) as (fd, name):
            os.stat(files.system_name(name), dir_fd=fd, follow_symlinks=False)
            try:
                with files.reading(files.system_name(name + SIDECAR), folder=fd) as file:
                    return _described(json.load(file))
            except (FileNotFoundError, files.NotPlainError, ValueError, KeyError, TypeError, RecursionError):
                return None

    @contextlib.contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        """Stream the file."""
        with self._beneath(key.location) as (fd, name):
            single = self.config.others_write
            file = os.fdopen(files.open_plain(files.system_name(name), folder=fd, single=single), "rb", buffering=0)
        with file:
            yield self._pieces(file, key.location, offset, length)

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        """Delete files, their sidecars and unfinished files, and the folders that are empty then."""
        try:
            unfinished = self._unfinished()
        except StoreError as error:
            return [DeleteResult(key, DeleteState.FAILED, str(error), error.code) for key in keys]
        return [self._delete_one(key, unfinished) for key in keys]

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """List the files; without their SHA-256, which would cost a read of each sidecar."""
        with self._translated(prefix):
            for location, status in self._tree.walk(prefix):
                if not location.endswith(SIDECAR):
                    yield _stored(location, status, None)

    def tighten_modes(self, at: Mapping[str, Any] | None, *, seconds: float) -> ModesLook:
        """Take from the files what their modes allow beyond those of new ones."""
        with self._translated(str(self._tree.root)):
            return modes.tighten(self._tree, at, seconds=seconds)

    def _admit(self, root: int) -> None:
        """Call the guard with the mark beneath a root; an admitted mark file is read once, then known by its stat."""
        if self.guard is None:
            return
        identity, admitted = tier_mark.identity(root), self._admitted
        if identity is not None and admitted is not None and identity == admitted[0]:
            self.guard(admitted[1])  # the file is the same; the catalog may know of another place by now
            return
        mark = tier_mark.read(self._tree, root)
        if self.guard(None if mark is None else mark[1]) and mark is not None:
            self._admitted = mark

    def _write(self, location: str, pieces: Iterator[bytes], info: ObjectInfo) -> Stored:
        with self._translated(location):
            return _written(location, writing.write(self._tree, location, pieces, info))

    def _result(self, location: str, result: WrittenFile | Exception) -> Stored | Exception:
        if isinstance(result, WrittenFile):
            return _written(location, result)
        if isinstance(result, OSError):
            error = translated(result, tier=self.config.tier, location=location)
            error.__cause__ = result
            return error
        return result

    def _pieces(self, file: BinaryIO, location: str, offset: int, length: int | None) -> Iterator[bytes]:
        with self._translated(location):
            file.seek(offset)
            rest = length
            while (rest is None or rest > 0) and (piece := file.read(CHUNK if rest is None else min(CHUNK, rest))):
                rest = None if rest is None else rest - len(piece)
                yield piece

    def _recorded_sha256(self, fd: int, name: str, size: int) -> bytes | None:
        try:
            with files.reading(files.system_name(name + SIDECAR), folder=fd) as file:
                recorded = json.load(file)
            return bytes.fromhex(recorded["sha256"]) if recorded["size"] == size else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None  # without a readable sidecar there is no SHA-256; the bytes may still be right

    def _unfinished(self) -> Mapping[str, set[str]]:
        """Return the unfinished files, by the name that they were to be given."""
        unfinished: defaultdict[str, set[str]] = defaultdict(set)
        with (
            self._translated(layout.STAGING),
            self._tree.folder([layout.STAGING]) as staging,
            os.scandir(staging) as entries,
        ):
            for entry in entries:
                name = files.name_text(entry.name)
                unfinished[name.removesuffix(SIDECAR).rpartition(".")[0]].add(name)
        return unfinished

    def _delete_one(self, key: ObjectKey, unfinished: Mapping[str, set[str]]) -> DeleteResult:
        try:
            folders, name = self._tree.split(key.location)
            with self._translated(key.location):
                if name in unfinished:
                    with self._tree.folder([layout.STAGING]) as staging:
                        writing.remove(unfinished[name], staging)
                removed = False
                with contextlib.suppress(FileNotFoundError), self._tree.folder(folders) as fd:
                    removed = writing.remove([name], fd)
                    writing.remove([name + SIDECAR], fd)
                if not removed:
                    self._tree.require_absent(key.location)
                self._tree.prune(folders)
        except StoreError as error:
            return DeleteResult(key, DeleteState.FAILED, str(error), error.code)
        return DeleteResult(key, DeleteState.DELETED)

    @contextlib.contextmanager
    def _beneath(self, location: str) -> Iterator[tuple[int, str]]:
        """Open the folder of ``location`` and yield it with the file's name; OSErrors of the block are translated."""
        folders, name = self._tree.split(location)
        with self._translated(location):
            try:
                with self._tree.folder(folders) as fd:
                    yield fd, name
            except FileNotFoundError:
                self._tree.require_absent(location)
                raise

    @contextlib.contextmanager
    def _translated(self, location: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise translated(error, tier=self.config.tier, location=location) from error


def _stored(location: str, status: os.stat_result, sha256: bytes | None) -> Stored:
    modified = dt.datetime.fromtimestamp(status.st_mtime, tz=dt.UTC)
    return Stored(location, status.st_size, sha256=sha256, modified=modified)


def _written(location: str, written: WrittenFile) -> Stored:
    return replace(_stored(location, written.status, written.sha256), vouched=Vouched.WRITTEN)


def _described(recorded: Mapping[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        tenant=str(recorded["tenant"]),
        workflow=str(recorded["workflow"]),
        name=str(recorded["name"]),
        version=int(recorded["version"]),
        placement=uuid.UUID(recorded["placement"]),
        sha256=bytes.fromhex(recorded["sha256"]),
        size=int(recorded["size"]),
        created=utc(dt.datetime.fromisoformat(recorded["created"])),
        content_type=str(recorded["content_type"]),
        metadata=dict(recorded["metadata"]),
    )
