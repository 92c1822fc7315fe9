"""Who could have written a file that this process believes: its own user and root alone, as git and ssh ask.

A folder that another user prepared would otherwise decide about who runs tierkeeper in it.
"""

import contextlib
import errno
import grp
import os
import pwd
import stat
from pathlib import Path
from typing import BinaryIO, Final

from tierkeeper.base.quantities import Unusable
from tierkeeper_client import files

_LINKS: Final = 40  # that the kernel follows, too


def check(path: Path, status: os.stat_result, *, group: str | None = None) -> None:
    """Raise Unusable, with the command that mends it, for what another user owns or can write.

    ``group``: the name or number of a group whose members may write, beside the user's own group.
    """
    _check_owner(path, status)
    if stat.S_ISLNK(status.st_mode):
        return  # has no mode of its own
    if status.st_mode & stat.S_IWOTH:
        raise Unusable("every user can write to it.", f"Look at it, then run `chmod o-w {path}`.")
    if status.st_mode & stat.S_IWGRP and status.st_gid not in _own_groups(group):
        raise Unusable(
            f"group {_group_name(status.st_gid)} can write to it.",
            f"Look at it, then run `chmod g-w {path}`, or set TIERKEEPER_HOME_GROUP to that group.",
        )


def reading(path: Path, *, group: str | None = None) -> BinaryIO:
    """Open the plain file ``path``, through links that are ours or root's; what was opened is checked.

    Raises Unusable, or OSError.
    """
    place = path
    for _ in range(_LINKS):
        try:
            file = files.reading(place)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            place = followed(place)
            continue
        try:
            check(path, os.fstat(file.fileno()), group=group)
        except BaseException:
            file.close()
            raise
        return file
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def followed(link: Path) -> Path:
    """Return where the link leads, one step; raises Unusable for another user's link."""
    _check_owner(link, link.lstat())
    return link.parent / link.readlink()


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in {os.geteuid(), 0}:
        me, other = _user_name(os.geteuid()), _user_name(status.st_uid)
        raise Unusable(
            f"it belongs to user {other}, and {me} runs this.",
            f"Remove it, or look at it and then run `chown --no-dereference {me} {path}`.",
        )


def _own_groups(group: str | None) -> set[int]:
    own = {os.getegid()}
    with contextlib.suppress(KeyError):  # no account for this number, as in containers
        own.add(pwd.getpwuid(os.geteuid()).pw_gid)
    if group is not None:
        try:
            own.add(int(group) if group.isascii() and group.isdecimal() else grp.getgrnam(group).gr_gid)
        except KeyError as error:
            raise Unusable(f"there is no group {group!r}.", "Name one that is there.", name="home_group") from error
    return own


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
