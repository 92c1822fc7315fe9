"""Files whose names are spelled otherwise than tierkeeper spells them: in UTF-8, composed (NFC).

A process with a locale of another encoding wrote them (of a release that left that to Python), or they were copied here
from a file system that decomposes names. Looked for by its location, such a file seems absent, which it is not.
"""

import contextlib
import os
import unicodedata
from collections.abc import Iterator, Sequence

from tierkeeper_client import files

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def other(root: int, parts: Sequence[str]) -> str | None:
    """Return the path beneath the folder ``root`` that may be another spelling of ``parts``; None if there is none.

    The last part carries the placement's id. Only folders that have a name beyond ASCII at this place are listed.
    Raises OSError where it cannot be told.
    """
    if all(part.isascii() for part in parts):
        return None
    return _beneath(root, parts)


def _beneath(folder: int, parts: Sequence[str]) -> str | None:
    wanted, *rest = parts
    for name in _alike(folder, wanted):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not rest:
                os.stat(files.system_name(name), dir_fd=folder, follow_symlinks=False)
                return name
            inner = os.open(files.system_name(name), _FOLDER, dir_fd=folder)
            try:
                below = _beneath(inner, rest)
            finally:
                os.close(inner)
            if below is not None:
                return f"{name}/{below}"
    return None


def _alike(folder: int, wanted: str) -> Iterator[str]:
    """Yield the names in the folder that may stand for ``wanted``."""
    if wanted.isascii():
        yield wanted
        return
    with os.scandir(folder) as entries:
        names = [files.name_text(entry.name) for entry in entries]
    for name in names:
        if not _is_utf8(name) or unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", wanted):
            yield name


def _is_utf8(name: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in name)
