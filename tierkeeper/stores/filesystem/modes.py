"""The modes of a folder tier's files: as written here, whatever the umask of the process that writes them.

The owner's group may read a tier; dumps of the catalog, below tierkeeper's own folder, hold every tenant's names: only
the owner may read them.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from tierkeeper.stores.base import ModesLook
from tierkeeper.stores.filesystem.tree import Tree
from tierkeeper.stores.layout import MARK, RESERVED, STAGING
from tierkeeper_client import files

_FILE: Final = 0o640
_OWN: Final = 0o600
_PART: Final = 1000  # files of a folder


def of(location: str) -> int:
    """Return the mode of the file at ``location``, and of its sidecar."""
    return _OWN if location.startswith(f"{RESERVED}/") and location != MARK else _FILE


def tighten(tree: Tree, at: Mapping[str, Any] | None, *, seconds: float) -> ModesLook:
    """Take from files of this user what their modes allow beyond :func:`of`, for so many seconds at most.

    It goes through the tree in the order of the names, from where ``at`` says that the look before ended, until it went
    through all of it and found nothing to change: processes of an earlier release may write behind it. It begins again
    where other modes are wanted, and where the tier's mark was written again, as in another place or a restored one.
    """
    wanted = _wanted(tree)
    known: Mapping[str, Any] = at if at is not None and at.get("wanted") == wanted else {"after": "", "again": False}
    if known["after"] is None:
        return ModesLook(at=at)
    end = time.monotonic() + seconds
    after = unquote_to_bytes(known["after"]).decode("utf-8", "surrogateescape")
    unread: list[str] = []
    changed = 0
    for folders, name, status in _files(tree, [], after.split("/") if after else [], unread):
        location = "/".join([*folders, name])
        changed += _tightened(tree, folders, name, status, of(location))
        if time.monotonic() > end:
            again = known["again"] or changed > 0 or bool(unread)
            reached = quote(files.system_name(location))
            return ModesLook(changed, left=True, at={"wanted": wanted, "after": reached, "again": again})
    again = known["again"] or changed > 0 or bool(unread)
    return ModesLook(changed, left=again, at={"wanted": wanted, "after": "" if again else None, "again": False})


def _wanted(tree: Tree) -> str:
    written = 0
    with tree.opened() as root, contextlib.suppress(FileNotFoundError):
        written = os.stat(MARK, dir_fd=root, follow_symlinks=False).st_mtime_ns
    return f"{_FILE:o}, {_OWN:o} below {RESERVED}, in the place marked at {written}"


def _tightened(tree: Tree, folders: list[str], name: str, status: os.stat_result, wanted: int) -> bool:
    """Return True if the file's mode was changed; what a mount without modes of its own does not keep is no change."""
    if status.st_uid != os.geteuid() or not stat.S_IMODE(status.st_mode) & ~wanted:
        return False
    with contextlib.suppress(OSError), tree.folder(folders) as fd:
        file = files.open_plain(files.system_name(name), folder=fd)
        try:
            os.fchmod(file, stat.S_IMODE(os.fstat(file).st_mode) & wanted)
            return not stat.S_IMODE(os.fstat(file).st_mode) & ~wanted
        finally:
            os.close(file)
    return False


def _files(
    tree: Tree, folders: list[str], after: Sequence[str], unread: list[str]
) -> Iterator[tuple[list[str], str, os.stat_result]]:
    """Yield the files behind the location ``after`` in the order of their names; note folders that cannot be read.

    Files are asked for their status a part of a folder at a time: that of a large one takes longer than the look.
    A folder of another user's has no file to be changed here.
    """
    try:
        names = [entry for entry in _names(tree, folders) if not _is_passed(entry, after)]
        for start in range(0, len(names), _PART):
            part = names[start : start + _PART]
            statuses = _statuses(tree, folders, [name for name, is_folder in part if not is_folder])
            for name, is_folder in part:
                if (status := statuses.get(name)) is not None:
                    yield folders, name, status
                elif is_folder and (folders or name != STAGING):
                    yield from _files(tree, [*folders, name], after[1:] if after and name == after[0] else [], unread)
    except (FileNotFoundError, PermissionError):
        return
    except OSError:
        if not folders:
            raise
        unread.append("/".join(folders))


def _is_passed(entry: tuple[str, bool], after: Sequence[str]) -> bool:
    name, is_folder = entry
    return bool(after) and (name < after[0] or (name == after[0] and not is_folder))


def _names(tree: Tree, folders: list[str]) -> list[tuple[str, bool]]:
    """Return the names in a folder in their order, each with whether it is a folder; nothing but files beside them."""
    with tree.folder(folders) as fd, os.scandir(fd) as entries:
        return sorted(
            (files.name_text(entry.name), entry.is_dir(follow_symlinks=False))
            for entry in entries
            if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
        )


def _statuses(tree: Tree, folders: list[str], names: Sequence[str]) -> dict[str, os.stat_result]:
    """Return the status of each that is still there."""
    found: dict[str, os.stat_result] = {}
    with tree.folder(folders) as fd:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found[name] = os.stat(files.system_name(name), dir_fd=fd, follow_symlinks=False)
    return found
