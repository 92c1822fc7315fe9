"""All that a file system has not written yet, made durable by one call: cheaper than one for each of many files.

``syncfs`` tells of failed writes of content since Linux 5.8 (syncfs(2)), and of those of names and folders since 5.17,
which no longer drops what the file system answers. Only where that is this machine's own does it mean a disk's answer:
those whose is known are named here. Whoever opened a file before an error is told of it, so of two callers each is.
"""

import ctypes
import os
import platform
from collections.abc import Callable
from functools import cache
from typing import Final

_LEAST: Final = (5, 17)
#: ``f_type`` of statfs(2): ext2 to ext4, XFS, Btrfs
_KNOWN: Final = frozenset({0xEF53, 0x58465342, 0x9123683E})
_STATFS: Final = 256  # bytes, more than the largest ``struct statfs``; ``f_type`` is its first word


def is_offered(fd: int) -> bool:
    """Return True if :func:`all_of` makes durable what was written to the file system of an opened file or folder."""
    return _calls() is not None and _kind(fd) in _KNOWN


def all_of(fd: int) -> None:
    """Make durable all that was written to the file system of ``fd``; raises OSError where a write of it failed."""
    _call("syncfs", fd)


def _kind(fd: int) -> int:
    answer = ctypes.create_string_buffer(_STATFS)
    _call("fstatfs", fd, answer)
    return ctypes.c_ulong.from_buffer(answer).value


def _call(name: str, *arguments: object) -> None:
    library = _calls()
    if library is None or library[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def _calls() -> dict[str, Callable[..., int]] | None:
    release = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdecimal())
    if platform.system() != "Linux" or release < _LEAST:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        return {"syncfs": library.syncfs, "fstatfs": library.fstatfs}
    except AttributeError:  # a C library without them
        return None
