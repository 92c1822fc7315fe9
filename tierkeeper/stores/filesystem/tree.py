"""A folder tree that no location can leave: each folder is opened from its parent, and no symlink is followed."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tierkeeper.stores import advice
from tierkeeper.stores.errors import (
    FolderDenied,
    FolderReadOnly,
    NameRespelled,
    ObjectNotFound,
    StoreError,
    StoreFull,
    StorePermanent,
    StoreTransient,
    TierNotOurs,
)
from tierkeeper.stores.filesystem import spelling
from tierkeeper.stores.layout import MARK, STAGING
from tierkeeper_client import files, texts

FOLDER_MODE = 0o750  # of folders that are made here, whatever the umask
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM}
_PERMANENT = {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}  # EINVAL: NotPlainError too
_IN_USE = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY}
#: opens the folder of a name in an opened folder
_Step = Callable[[int, str], int]
_RACES = 50  # attempts to use a folder that is removed concurrently, before another cause is assumed


def translated(error: OSError, *, tier: str, location: str) -> StoreError:
    """Return the port's error for an OSError."""
    what = error.strerror if isinstance(error, files.NotPlainError) else os.strerror(error.errno or errno.EIO)
    reason = f"{what} at {location}"
    if error.errno == errno.ENOENT:  # no other errno proves that nothing is there
        return ObjectNotFound(tier=tier, location=location)
    if error.errno in _FULL:
        return StoreFull(tier=tier, reason=reason)
    if error.errno == errno.EROFS:
        return FolderReadOnly(tier=tier, reason=reason)
    if error.errno in _DENIED:
        return FolderDenied(tier=tier, reason=reason)
    if error.errno in _PERMANENT:
        return StorePermanent(tier=tier, reason=reason)
    return StoreTransient(tier=tier, reason=reason)


class Tree:
    """The folders below ``root``; ``durable`` False: no fsync; ``admit`` is called with each root that is opened."""

    def __init__(self, root: Path, *, tier: str, durable: bool, admit: Callable[[int], None]) -> None:
        self.root = root
        self.tier = tier
        self.durable = durable
        self._admit = admit

    def split(self, location: str) -> tuple[list[str], str]:
        """Return the folders and the file name of ``location``; StorePermanent for one that leads out of the tree."""
        *folders, name = location.split("/")
        parts = [*folders, name]
        if parts[0] == STAGING or any(p in {"", ".", ".."} or "\0" in p for p in parts) or not _encodable(location):
            raise StorePermanent(tier=self.tier, reason=f"{location!r} is not a location of this store")
        return folders, name

    def require_absent(self, location: str) -> None:
        """Raise NameRespelled where nothing is at ``location``, and its file under another spelling of its name."""
        folders, name = self.split(location)
        with self.opened() as root:
            found = spelling.other(root, [*folders, name])
        if found is not None:
            raise NameRespelled(tier=self.tier, location=location, found=texts.storable(found))

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Open the root for one piece of work beneath it; raises TierNotOurs where it is not the tier's own.

        A root without the folder for unfinished files is a disk that is not mounted, or not prepared.
        """
        with self.bare() as fd:
            try:
                if not stat.S_ISDIR(os.stat(STAGING, dir_fd=fd, follow_symlinks=False).st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            except OSError as error:
                raise self._elsewhere(error) from error
            self._admit(fd)
            yield fd

    @contextlib.contextmanager
    def bare(self) -> Iterator[int]:
        """Open the root without checking its mark."""
        try:
            fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._elsewhere(error) from error
        with closing(fd):
            yield fd

    def _elsewhere(self, error: OSError) -> StoreError:
        if error.errno in {errno.ENOENT, errno.ESTALE}:  # neither says anything about the objects below
            reason = f"folder {self.root} is not there or not prepared: {advice.FOLDER}; {advice.NEW}"
        elif error.errno in _PERMANENT:  # the fault is the root's, not an object's
            reason = f"{self.root} with its {STAGING} is no folder: {os.strerror(error.errno or 0)}"
        else:
            return translated(error, tier=self.tier, location=str(self.root))
        return TierNotOurs(tier=self.tier, reason=reason)

    @contextlib.contextmanager
    def folder(self, folders: list[str]) -> Iterator[int]:
        """Open an existing folder below the root; raises OSError untranslated."""
        with self.opened() as root, closing(self._beneath(root, folders, _inner)) as fd:
            yield fd

    def _beneath(self, root: int, folders: Sequence[str], step: _Step) -> int:
        """Open a folder below an opened one, each by a ``step`` from the one before; raises OSError."""
        fd = root
        try:
            for name in folders:
                outer, fd = fd, step(fd, name)
                if outer != root:
                    os.close(outer)
        except BaseException:
            if fd != root:
                os.close(fd)
            raise
        return os.dup(root) if fd == root else fd

    def place(self, moves: dict[str, str], folders: list[str]) -> None:
        """Move finished files from the folder for unfinished ones to ``folders``, in the order given.

        A concurrent delete may remove the folder as empty between its creation and the move: it is then created again.
        """
        for attempt in range(_RACES):
            with (
                contextlib.suppress(FileNotFoundError),
                self.opened() as root,
                closing(_inner(root, STAGING)) as staging,
            ):
                self._require_all(moves, staging, folders)
                with closing(self._beneath(root, folders, self._made)) as fd:
                    self._move(moves, staging, fd)
                    self.sync(fd)
                return
            time.sleep(0.001 * attempt)
        raise StoreTransient(tier=self.tier, reason=f"{'/'.join(folders)} is removed again and again")

    def place_many(self, placings: Sequence[tuple[dict[str, str], list[str]]]) -> list[Exception | None]:
        """Move the finished files of many placements, as :meth:`place` does for one; return the error of each, or None.

        The caller makes the moves durable.
        """
        step = partial(self._made, synced=False)
        with self.opened() as root, closing(_inner(root, STAGING)) as staging:
            parent = _LastFolder(lambda folders: self._beneath(root, folders, step))
            try:
                return [self._placed(moves, folders, staging, parent, step) for moves, folders in placings]
            finally:
                parent.close()

    def _placed(
        self, moves: dict[str, str], folders: list[str], staging: int, parent: "_LastFolder", step: _Step
    ) -> Exception | None:
        try:
            with contextlib.suppress(FileNotFoundError):
                self._require_all(moves, staging, folders)
                with closing(self._beneath(parent.opened(folders[:-1]), folders[-1:], step)) as fd:
                    self._move(moves, staging, fd)
                return None
            parent.close()  # a concurrent delete removed a folder as empty
            self.place(moves, folders)
        except Exception as error:  # noqa: BLE001  one stops no other
            return error
        return None

    def _require_all(self, moves: dict[str, str], staging: int, folders: list[str]) -> None:
        # a missing unfinished file means that this placement was collected, not that the folder was removed
        try:
            for unfinished in moves:
                os.stat(files.system_name(unfinished), dir_fd=staging, follow_symlinks=False)
        except FileNotFoundError as error:
            reason = f"the unfinished copy of {'/'.join(folders)} was collected while it was written"
            raise StoreTransient(tier=self.tier, reason=reason) from error

    def _move(self, moves: dict[str, str], staging: int, fd: int) -> None:
        for unfinished in list(moves):
            old, new = files.system_name(unfinished), files.system_name(moves[unfinished])
            os.rename(old, new, src_dir_fd=staging, dst_dir_fd=fd)
            del moves[unfinished]

    def _made(self, fd: int, name: str, *, synced: bool = True) -> int:
        """Open the folder ``name`` in the folder ``fd``, made if it is missing."""
        with contextlib.suppress(FileNotFoundError):
            return _inner(fd, name)
        made = False
        with contextlib.suppress(FileExistsError):
            os.mkdir(files.system_name(name), FOLDER_MODE, dir_fd=fd)
            if synced:
                self.sync(fd)
            made = True
        inner = _inner(fd, name)
        if made:
            give_mode(inner, FOLDER_MODE)
        return inner

    def prune(self, folders: list[str]) -> None:
        """Remove ``folders`` from the innermost outwards while they are empty; make the removals durable."""
        if not folders:
            with self.opened() as root:
                self.sync(root)
        while folders:
            with contextlib.suppress(FileNotFoundError), self.folder(folders[:-1]) as parent:
                try:
                    os.rmdir(files.system_name(folders[-1]), dir_fd=parent)
                except OSError as error:
                    if error.errno not in _IN_USE:
                        raise
                    with self.folder(folders) as fd:
                        self.sync(fd)
                    return
                if len(folders) == 1:
                    self.sync(parent)
            folders = folders[:-1]

    def walk(self, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the location and the status of every file whose location begins with ``prefix``."""
        with self.opened():
            pass
        yield from self._walk([], prefix)

    def _walk(self, folders: list[str], prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        below: list[tuple[str, os.stat_result | None]] = []
        with contextlib.suppress(FileNotFoundError), self.folder(folders) as fd:
            with os.scandir(fd) as entries:
                names = sorted(files.name_text(entry.name) for entry in entries)
            for name in names:
                location = "/".join([*folders, name])
                if location in {STAGING, MARK}:
                    continue
                try:
                    status = os.stat(files.system_name(name), dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if f"{location}/".startswith(prefix) or prefix.startswith(f"{location}/"):
                        below.append((name, None))
                elif stat.S_ISREG(status.st_mode) and location.startswith(prefix):
                    below.append((name, status))
        for name, file_status in below:
            if file_status is None:
                yield from self._walk([*folders, name], prefix)
            else:
                yield "/".join([*folders, name]), file_status

    def sync(self, fd: int) -> None:
        """Fsync the file or folder if this tree is durable."""
        if self.durable:
            os.fsync(fd)


def _encodable(location: str) -> bool:
    try:
        files.system_name(location)
    except UnicodeEncodeError:
        return False
    return True


def give_mode(file: int, mode: int) -> None:
    """Give a new file or folder the bits that the umask took; a mount without modes of its own refuses that. No error.

    It was made with no more than ``mode``.
    """
    with contextlib.suppress(OSError):
        os.fchmod(file, mode)


def _inner(fd: int, name: str) -> int:
    """Open the folder ``name`` in the folder ``fd``."""
    return os.open(files.system_name(name), _FOLDER, dir_fd=fd)


@contextlib.contextmanager
def closing(fd: int) -> Iterator[int]:
    """Close an opened file or folder behind the block."""
    try:
        yield fd
    finally:
        os.close(fd)


class _LastFolder:
    """The folder that was asked for last, open until another one is: files that lie together are placed in turn."""

    def __init__(self, open_folder: Callable[[Sequence[str]], int]) -> None:
        self._open, self._folders, self._fd = open_folder, list[str](), -1

    def opened(self, folders: list[str]) -> int:
        """Return the opened folder; raises OSError."""
        if self._fd < 0 or folders != self._folders:
            self.close()
            self._folders, self._fd = folders, self._open(folders)
        return self._fd

    def close(self) -> None:
        """Close it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
