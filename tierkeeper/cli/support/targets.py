"""Files that the user named to be written, or read: what the system refuses is said of them."""

import codecs
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tierkeeper.base.errors import FileUnusable, InvalidInput
from tierkeeper.cli.support import streams

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
