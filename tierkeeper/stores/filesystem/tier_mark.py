"""The mark of a folder tier, read and written beneath an opened root.

It is written to the folder for unfinished files, fsynced, and then linked to its path, which fails where that exists
(or, on a file system without hard links, renamed to it while the folder is locked). A crash leaves an unfinished file
that no listing returns.
"""

import contextlib
import errno
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from tierkeeper.stores import tier_mark
from tierkeeper.stores.errors import MarkNotRead, MarkUnreadable, StorePermanent, TierNotOurs
from tierkeeper.stores.filesystem import modes
from tierkeeper.stores.filesystem.tree import FOLDER_MODE, Tree, closing, give_mode
from tierkeeper.stores.layout import MARK, RESERVED, STAGING
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper_client import files

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = MARK.removeprefix(f"{RESERVED}/")
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_FILE = {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL}  # EINVAL: files.NotPlainError

#: distinguishes one mark file from every other, even from one on another disk with the same device number: change times
#: (ctime) cannot be set by a program
FileIdentity = tuple[int, int, int, int, int]


def identity(root: int) -> FileIdentity | None:
    """Return the identity of the mark file beneath an opened root; None where it has none."""
    try:
        return _identity(os.stat(MARK, dir_fd=root, follow_symlinks=False))
    except OSError:
        return None  # :func:`read` raises what is wrong


def read(tree: Tree, root: int) -> tuple[FileIdentity, TierMark] | None:
    """Return the mark beneath an opened root, None where there is none.

    Raises MarkUnreadable where the file is no mark, and MarkNotRead where it cannot be read.
    """
    tier, place = tree.tier, str(tree.root / MARK)
    try:
        with _opened(RESERVED, _FOLDER, root) as folder, files.reading(_NAME, folder=folder) as file:
            status = os.fstat(file.fileno())
            return _identity(status), tier_mark.parse(file.read(tier_mark.LARGEST + 1), tier=tier, place=place)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _NO_FILE:
            raise MarkUnreadable(tier=tier, mark=place, reason="it is no plain file") from error
        raise MarkNotRead(tier=tier, place=tree.root, reason=str(error.strerror)) from error


def write(tree: Tree, mark: TierMark) -> TierMark:
    """Write the mark where there is none; return the mark read back."""
    return _written(tree, mark, lambda root: read(tree, root) is None, over=False)


def replace(tree: Tree, mark: TierMark, *, over: TierMark | None) -> TierMark:
    """Replace exactly the mark ``over``, or for None an unreadable one; return the mark read back."""

    def is_over(root: int) -> bool:
        def current() -> TierMark | None:
            there = read(tree, root)
            return None if there is None else there[1]

        if not tier_mark.is_over(over, current):
            raise StorePermanent(tier=tree.tier, reason="its mark is another one by now: look at it again")
        return True

    return _written(tree, mark, is_over, over=True)


def _written(tree: Tree, mark: TierMark, allowed: Callable[[int], bool], *, over: bool) -> TierMark:
    """Write the mark if ``allowed`` beneath the locked folder, replacing what is there if ``over``; read it back."""
    with tree.bare() as root, _opened(STAGING, _FOLDER, root) as staging:
        with contextlib.suppress(FileExistsError):
            os.mkdir(RESERVED, FOLDER_MODE, dir_fd=root)
            with _opened(RESERVED, _FOLDER, root) as made:
                give_mode(made, FOLDER_MODE)
            tree.sync(root)
        with _removable(tree, RESERVED), _opened(RESERVED, _FOLDER, root) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if allowed(root):
                _place(tree, mark, staging, folder, over=over)
        recorded = read(tree, root)
    if recorded is None:
        raise StorePermanent(tier=tree.tier, reason="its mark was removed while it was written")
    return recorded[1]


def _place(tree: Tree, mark: TierMark, staging: int, folder: int, *, over: bool) -> None:
    unfinished = f"{_NAME}.{uuid.uuid4().hex}"
    try:
        with _opened(unfinished, _NEW, staging) as file:
            give_mode(file, modes.of(MARK))
            os.write(file, mark.as_bytes())
            tree.sync(file)
        if over or not _linked(unfinished, staging, folder):
            with _removable(tree, MARK):
                os.rename(unfinished, _NAME, src_dir_fd=staging, dst_dir_fd=folder)
        tree.sync(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=staging)


@contextlib.contextmanager
def _removable(tree: Tree, name: str) -> Iterator[None]:
    """Raise TierNotOurs that names the path to remove, where a file of another kind is in the way."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        reason = f"no mark can be written: remove {tree.root / name} ({error.strerror})"
        raise TierNotOurs(tier=tree.tier, reason=reason) from error


def _linked(unfinished: str, staging: int, folder: int) -> bool:
    """Link the mark to its path unless that exists; return False where the file system has no hard links."""
    try:
        os.link(unfinished, _NAME, src_dir_fd=staging, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return True
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def _identity(status: os.stat_result) -> FileIdentity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _opened(name: str, flags: int, folder: int) -> AbstractContextManager[int]:
    return closing(os.open(name, flags, 0o600, dir_fd=folder))
