"""The mark of a folder tier, read and written beneath an opened root.

It is written to the folder for unfinished files, fsynced, and then linked to its place, which fails where something is
there (or, on a file system without hard links, moved there while the folder is locked). A crash leaves an unfinished
file that nothing lists.
"""

import contextlib
import errno
import fcntl
import os
import uuid
from collections.abc import Iterator

from tierkeeper.stores import marks
from tierkeeper.stores.errors import StorePermanent
from tierkeeper.stores.layout import MARK, RESERVED, STAGING
from tierkeeper.stores.marks import TierMark
from tierkeeper.stores.tree import Tree

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = MARK.removeprefix(f"{RESERVED}/")
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_LARGEST = 64 * 1024  # bytes of a mark that are read

#: what tells one mark file from every other, also from that of another disk under the same device number: its times
#: of change are nobody's to choose
Identity = tuple[int, int, int, int, int]


def identity(root: int) -> Identity | None:
    """Return which mark file lies beneath an opened root; None where there is none."""
    try:
        return _identity(os.stat(MARK, dir_fd=root, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read(root: int, *, tier: str) -> tuple[Identity, TierMark] | None:
    """Return the mark beneath an opened root, None where there is none; TierNotOurs where it is no mark."""
    try:
        with _opened(RESERVED, _FOLDER, root) as folder, _opened(_NAME, _READ, folder) as file:
            return _identity(os.fstat(file)), marks.parse(os.read(file, _LARGEST), tier=tier)
    except FileNotFoundError:
        return None


def write(tree: Tree, mark: TierMark, *, over: TierMark | None) -> TierMark:
    """Write the mark where there is none (``over`` None), or instead of exactly ``over``; return what is there then."""
    tier = mark.tier
    with tree.bare() as root, _opened(STAGING, _FOLDER, root) as staging:
        with contextlib.suppress(FileExistsError):
            os.mkdir(RESERVED, dir_fd=root)
            tree.sync(root)
        with _opened(RESERVED, _FOLDER, root) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            there = read(root, tier=tier)
            if over is None and there is not None:
                return there[1]
            if over is not None and (there is None or there[1] != over):
                raise StorePermanent(tier=tier, reason="its mark is another one by now: look at it again")
            unfinished = f"{_NAME}.{uuid.uuid4().hex}"
            try:
                with _opened(unfinished, _NEW, staging) as file:
                    os.write(file, mark.as_bytes())
                    tree.sync(file)
                if over is not None or not _linked(unfinished, staging, folder):
                    os.rename(unfinished, _NAME, src_dir_fd=staging, dst_dir_fd=folder)
                tree.sync(folder)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=staging)
        found = read(root, tier=tier)
    if found is None:
        raise StorePermanent(tier=tier, reason="its mark was removed while it was written")
    return found[1]


def _linked(unfinished: str, staging: int, folder: int) -> bool:
    """Link the mark to its place unless something is there; False where this file system has no links."""
    try:
        os.link(unfinished, _NAME, src_dir_fd=staging, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return True
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextlib.contextmanager
def _opened(name: str, flags: int, folder: int) -> Iterator[int]:
    fd = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)
