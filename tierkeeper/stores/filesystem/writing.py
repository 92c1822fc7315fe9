"""How a copy is made in a folder, and what a crash after each step leaves.

1. the bytes are written to ``.tmp/``, hashed and fsynced: an unfinished file, removed when the location is deleted
2. the sidecar likewise
3. the sidecar is moved to its path: a sidecar without its file, which no listing returns; removed with the location
4. **the file is moved to its path**: the copy exists
5. the folder is fsynced: the copy is durable

Many copies take these steps together: the fsyncs of the first two are one sync of the whole file system between the
second and the third, and those of the last are another one, and one fsync that shows the file system to be alive.
"""

import contextlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tierkeeper.stores.base import ObjectInfo, Put
from tierkeeper.stores.content import pieces_of, require_announced
from tierkeeper.stores.errors import ContentMismatch
from tierkeeper.stores.filesystem import modes, syncing
from tierkeeper.stores.filesystem.tree import Tree, closing, give_mode
from tierkeeper.stores.layout import STAGING
from tierkeeper.values.plain import plain
from tierkeeper_client import files
from tierkeeper_client.digest import Digest

SIDECAR: Final = ".metadata.json"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A copy's file as it was when its bytes were written."""

    status: os.stat_result
    sha256: bytes


class _Unfinished:
    """A copy's unfinished files, by the names that they are to be given; those that were moved are not in it."""

    def __init__(self, tree: Tree, location: str) -> None:
        self.location = location
        self.folders, name = tree.split(location)
        self.file = f"{name}.{uuid.uuid4().hex}"
        self.sidecar = self.file + SIDECAR
        self.moves = {self.sidecar: name + SIDECAR, self.file: name}


def write(tree: Tree, location: str, pieces: Iterator[bytes], info: ObjectInfo) -> WrittenFile:
    """Write one copy. Raises OSError untranslated, and what ``pieces`` raise."""
    unfinished = _Unfinished(tree, location)
    with tree.folder([STAGING]) as staging:
        try:
            written = _fill(tree, staging, unfinished, pieces, info, synced=True)
            tree.place(unfinished.moves, unfinished.folders)
        finally:
            remove(unfinished.moves, staging)
    return written


def write_many(tree: Tree, puts: Sequence[Put]) -> list[WrittenFile | Exception]:
    """Write copies, one result each: what :func:`write` returns or raises. Raises what stops all of them."""
    results: dict[int, WrittenFile | Exception] = {}
    begun: dict[int, _Unfinished] = {}
    with tree.folder([STAGING]) as staging:
        try:
            for number, put in enumerate(puts):
                try:
                    begun[number] = _Unfinished(tree, put.location)
                    pieces = pieces_of(put.content, put.info.size)
                    results[number] = _fill(tree, staging, begun[number], pieces, put.info, synced=False)
                except Exception as error:  # noqa: BLE001  one stops no other
                    results[number] = error
            going = [number for number, result in results.items() if isinstance(result, WrittenFile)]
            if tree.durable and going:
                syncing.all_of(staging)
            placed = tree.place_many([(begun[number].moves, begun[number].folders) for number in going])
            results.update({number: error for number, error in zip(going, placed, strict=True) if error is not None})
            if tree.durable and going:
                syncing.all_of(staging)
                _require_writable(staging)
        finally:
            for each in begun.values():
                with contextlib.suppress(OSError):  # collect removes what stays
                    remove(each.moves, staging)
    return [results[number] for number in range(len(puts))]


def is_cheaper_together(tree: Tree) -> bool:
    """Return True if many copies take fewer waits for the disk than one after another."""
    if not tree.durable:
        return True
    with tree.opened() as root:
        return syncing.is_offered(root)


def _require_writable(folder: int) -> None:
    """Raise OSError where the file system stopped writing: a sync of all of it says nothing once it is read-only.

    A new time of the folder takes part in the journal, which an fsync waits for (ext4: ``sync_filesystem`` returns 0
    for what an aborted journal made read-only, ``ext4_sync_file`` does not).
    """
    os.utime(folder)
    os.fsync(folder)


def _fill(
    tree: Tree, staging: int, unfinished: _Unfinished, pieces: Iterator[bytes], info: ObjectInfo, *, synced: bool
) -> WrittenFile:
    """Take the first two steps."""
    location, mode = unfinished.location, modes.of(unfinished.location)
    digest = Digest()
    with new_file(unfinished.file, staging, mode) as file:
        for piece in pieces:
            digest.add(piece)
            write_all(file, piece)
        sha256 = digest.sha256
        require_announced(info, size=digest.size, sha256=sha256, tier=tree.tier, location=location)
        if synced:
            tree.sync(file)
        status = os.fstat(file)
    if status.st_size != info.size:
        reason = f"{status.st_size} bytes were written of {info.size}"
        raise ContentMismatch(tier=tree.tier, location=location, reason=reason)
    with new_file(unfinished.sidecar, staging, mode) as file:
        write_all(file, json.dumps(plain(info), ensure_ascii=False, indent=1).encode())
        if synced:
            tree.sync(file)
    return WrittenFile(status, sha256)


@contextlib.contextmanager
def new_file(name: str, folder: int, mode: int) -> Iterator[int]:
    """Make a file of exactly this mode in an opened folder, open to be written."""
    with closing(os.open(files.system_name(name), _NEW, mode, dir_fd=folder)) as file:
        give_mode(file, mode)
        yield file


def write_all(fd: int, piece: bytes) -> None:
    """Write all of a piece, in as many calls as that takes."""
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]


def remove(names: Iterable[str], folder: int) -> bool:
    """Remove the files ``names`` from an opened folder; return False if none was there."""
    removed = False
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(files.system_name(name), dir_fd=folder)
            removed = True
    return removed
