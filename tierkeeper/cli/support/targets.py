"""Files that the user named to be written, or read: what the system refuses is said of them."""

import codecs
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tierkeeper.base.errors import FileUnusable, InvalidInput
from tierkeeper.cli.support import streams
from tierkeeper_client import files

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what `>` of Windows PowerShell begins a file with


@contextmanager
def written(path: Path, *, make_folder: bool = False) -> Iterator[None]:
    """Name ``path`` in the error where it cannot be written in the block: FileUnusable, OutputFull where it is full.

    ``make_folder``: its folder is made first where it is missing.
    """
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if (way := _in_the_way(path, error)) is not None:
            raise InvalidInput(
                field="TARGET", value=str(path), problem=way, fix="Write it somewhere else, or move that away."
            ) from error
        named = OSError(error.errno, error.strerror, str(path))  # not the temporary name beside it
        raise streams.explained(named) or FileUnusable(file=path, reason=error) from error
    except UnicodeEncodeError as error:
        if _has_name(path):
            raise
        reason = f"this locale ({sys.getfilesystemencoding()}) has no such name; use a UTF-8 one (C.UTF-8)"
        raise FileUnusable(file=path, reason=reason) from error


def make_folder(folder: Path) -> None:
    """Make ``folder``, and those above it, where it is missing; raises as :func:`written`."""
    with written(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder, or a link to what is not there") from error


@contextmanager
def opened(path: Path, *, mode: int, named: bool) -> Iterator[BinaryIO]:
    """Yield a new file that takes the place of ``path``, with ``mode``, once it is whole; or the pipe or device there.

    ``named`` by the user; else what stands there is followed and opened nowhere, but replaced: others may have left a
    link or a pipe in a folder of the settings. Raises OSError.
    """
    device = device_at(path) if named else None
    with files.replacing(resolved(path) if named else path, mode=mode) if device is None else device as file:
        yield file


def device_at(path: Path) -> BinaryIO | None:
    """Open what stands at ``path`` and is written to, not replaced: a pipe, a terminal; None for a file or nothing.

    Raises OSError, also where a folder, a disk or a socket is there.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(status.st_mode):
        return None
    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_NOCTTY), "wb")
        if os.path.samestat(status, os.fstat(file.fileno())):
            return file
        file.close()
    raise files.NotPlainError(path, "it is no file, pipe or terminal")


def resolved(path: Path) -> Path:
    """Return where the links of a path that the user named lead: what they lead to is replaced, and the links stay."""
    return Path(os.path.realpath(path))


def _has_name(path: Path) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _in_the_way(path: Path, error: OSError) -> str | None:
    """Return what stands in the place of a file, or of a folder that it would lie in; None for another error."""
    if error.errno not in {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}:
        return None
    if path.is_dir():
        return "a folder is there"
    above = next((each for each in path.absolute().parents if os.path.lexists(each)), path)
    return None if above.is_dir() else f"{above} is no folder"


def read_text(file: Path) -> str:
    """Return the text of a file, or of standard input for ``-``: UTF-8, or UTF-16 that says so. Raises InvalidInput."""
    try:
        if file == Path("-"):
            return sys.stdin.read()
        content = file.read_bytes()
        return content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8")
    except OSError as error:
        problem, fix = f"it cannot be read: {error.strerror}", "Check the path."
        raise InvalidInput(field="FILE", value=str(file), problem=problem, fix=fix) from error
    except UnicodeDecodeError as error:
        problem, fix = "it cannot be read: it is not UTF-8", "Save the text as UTF-8."
        raise InvalidInput(field="FILE", value=str(file), problem=problem, fix=fix) from error
