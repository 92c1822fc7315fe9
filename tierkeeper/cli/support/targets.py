"""Files that the user named to be written, or read: what the system refuses is said of them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tierkeeper.base.errors import FileUnusable, InvalidInput
from tierkeeper.cli.support import streams


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
        named = OSError(error.errno, error.strerror, str(path))  # not the temporary name beside it
        raise streams.explained(named) or FileUnusable(file=path, reason=error) from error


def read_text(file: Path) -> str:
    """Return the text of a file, or of standard input for ``-``. Raises InvalidInput."""
    try:
        return sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput(
            field="FILE", value=str(file), problem=f"it cannot be read: {why}", fix="Check the path."
        ) from error
