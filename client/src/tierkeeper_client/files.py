"""Plain files where other parties may have put something else: opened first, then judged by what was opened.

A path that is checked and then opened may lead elsewhere by then. Here nothing is waited for (a pipe without a writer
blocks who opens it), no link is followed, and what is no plain file is refused once it is open.
"""

import codecs
import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

# producers run on systems too that lack some of these
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_CAREFUL: Final = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_READ: Final = os.O_RDONLY | _CAREFUL
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_DEVICE: Final = {errno.ENXIO, errno.EOPNOTSUPP}  # the answers of a socket


def system_name(text: str) -> bytes:
    """Return the name of a file as the system takes it: UTF-8, whatever the locale of this process.

    The system's names are bytes, and Python writes text by the locale: two processes would mean two files by one name.
    Raises UnicodeEncodeError for text that is no name (a lone surrogate).
    """
    return text.encode("utf-8", "surrogateescape")


def utf8_names() -> bool:
    """Return True if Python, too, writes the names of files in UTF-8, as by a locale of today."""
    return codecs.lookup(sys.getfilesystemencoding()).name == "utf-8"


def name_text(listed: str) -> str:
    """Return the text of a name that Python listed by the locale, so that :func:`system_name` gives its bytes."""
    return os.fsencode(listed).decode("utf-8", "surrogateescape")


class NotPlainError(OSError):
    """What was opened is no plain file, or one that has a second name where that is refused."""

    def __init__(self, name: str | bytes | Path, reason: str = "no plain file") -> None:
        super().__init__(errno.EINVAL, reason, os.fsdecode(name))


def open_plain(
    name: str | bytes | Path,
    *,
    folder: int | None = None,
    follow: bool = False,
    single: bool = False,
    flags: int = os.O_RDONLY,
    mode: int = 0o600,
) -> int:
    """Return a descriptor of the plain file ``name``, in the opened ``folder`` if one is given; never block.

    ``follow``: a last part that is a link is followed. ``single``: a file with a second name (a hard link) is refused,
    as it may be the file of another party. ``flags`` may create a file, with ``mode``. Raises OSError.
    """
    careful = _CAREFUL & ~_NO_FOLLOW if follow else _CAREFUL
    try:
        file = os.open(name, flags | careful, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_DEVICE:
            raise NotPlainError(name) from error
        raise
    try:
        _judge(os.fstat(file), name, single=single)
    except BaseException:
        os.close(file)
        raise
    return file


def _judge(status: os.stat_result, name: str | bytes | Path, *, single: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotPlainError(name)
    if single and status.st_nlink != 1:
        raise NotPlainError(name, "a file with a second name")


def reading(
    name: str | bytes | Path, *, folder: int | None = None, follow: bool = False, single: bool = False
) -> BinaryIO:
    """Open the plain file ``name`` for reading; as :func:`open_plain`."""
    return os.fdopen(open_plain(name, folder=folder, follow=follow, single=single), "rb")


def reading_beneath(root: Path, parts: Sequence[str]) -> BinaryIO:
    """Open the plain file at ``parts`` beneath the folder ``root``, each folder from its parent, through no link.

    A file with a second name is refused: the other one may lie outside. ``parts`` are names in UTF-8, whatever the
    locale. Raises OSError, ValueError for parts that are no names.
    """
    if not parts or any(part in {"", ".", ".."} or "/" in part or "\0" in part for part in parts):
        raise ValueError(f"{'/'.join(parts)!r} is no path beneath a folder")
    *folders, name = map(system_name, parts)
    folder = os.open(root, _FOLDER)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER | _NO_FOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return reading(name, folder=folder, single=True)
    finally:
        os.close(folder)


def make_folders(path: Path, mode: int) -> None:
    """Make the folder ``path`` and those above it that are missing, with exactly ``mode``.

    An existing one stays as it is, also one that another process made meanwhile.
    """
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            folder.chmod(mode)  # the umask took from the other


@contextlib.contextmanager
def replacing(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Yield a new file that takes the place of ``path``, with ``mode``, once all of it was written; else it is removed.

    Its name is not to be guessed, and what stands at ``path`` is replaced and never opened.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tierkeeper-")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
