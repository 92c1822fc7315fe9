"""The modes of a folder tier's files: as written here, whatever the umask of the process that writes them.

The owner's group may read a tier; dumps of the catalog, below tierkeeper's own folder, hold every tenant's names: only
the owner may read them.
"""

import contextlib
import os
import random
import stat
import time
from collections.abc import Iterator
from typing import Final

from tierkeeper.stores.filesystem.tree import Tree
from tierkeeper.stores.layout import MARK, RESERVED, STAGING
from tierkeeper_client import files

_FILE: Final = 0o640
_OWN: Final = 0o600


def of(location: str) -> int:
    """Return the mode of the file at ``location``, and of its sidecar."""
    return _OWN if location.startswith(f"{RESERVED}/") and location != MARK else _FILE


def tighten(tree: Tree, *, seconds: float) -> int:
    """Take from files of this user what their modes allow beyond :func:`of`; return how many were changed.

    It looks for so many seconds at most, each time in another order, so that a large tree is seen in some runs.
    """
    end = time.monotonic() + seconds
    changed = 0
    for folders, name, status in _shuffled(tree, []):
        if time.monotonic() > end:
            break
        wanted = of("/".join([*folders, name]))
        if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) & ~wanted:
            with contextlib.suppress(OSError), tree.folder(folders) as fd:
                file = files.open_plain(name, folder=fd)
                try:
                    os.fchmod(file, stat.S_IMODE(os.fstat(file).st_mode) & wanted)
                finally:
                    os.close(file)
                changed += 1
    return changed


def _shuffled(tree: Tree, folders: list[str]) -> Iterator[tuple[list[str], str, os.stat_result]]:
    below: list[str] = []
    found: list[tuple[str, os.stat_result]] = []
    with contextlib.suppress(FileNotFoundError), tree.folder(folders) as fd, os.scandir(fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                found.append((entry.name, entry.stat(follow_symlinks=False)))
    yield from ((folders, name, status) for name, status in found)
    random.shuffle(below)
    for name in below:
        if folders or name != STAGING:
            yield from _shuffled(tree, [*folders, name])
