"""The files that `store` takes, and what it leaves out: nothing below a folder is skipped without its reason.

A folder is walked by what its entries are. A file of another kind, a link, a folder that cannot be read, a name that no
artifact can have and tierkeeper's own folders are left out, each with its path and why.
"""

import os
import stat
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from tierkeeper.settings import roots
from tierkeeper.settings.settings import Settings
from tierkeeper_client import files
from tierkeeper_client.errors import InvalidInput, InvalidName
from tierkeeper_client.identifiers import check_name

STDIN: Final = Path("-")
_FileIdentity = tuple[int, int]  # device and inode


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to store, and the name of its artifact; ``size`` and ``modified`` (POSIX) are None where unknown.

    ``inside`` a folder that was named, or named itself; ``follow``: the last part of the path may be a link.
    """

    path: Path
    name: str
    size: int | None = None
    modified: float | None = None
    inside: bool = False
    follow: bool = False

    def open(self) -> BinaryIO:
        """Open it; a pipe only where it was named itself, as the shell's ``<(…)`` is. Raises OSError."""
        return files.reading(self.path, follow=self.follow) if self.inside else self.path.open("rb")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that is not stored, and why; ``name``: the artifact's name that was refused, None for another reason.

    Bytes that are no UTF-8 are escaped in both.
    """

    path: str
    reason: str
    name: str | None = None


@dataclass(slots=True)
class SourceFiles:
    """The files to store and what is left out; ``doubled``: those whose names other files have already.

    ``empty``: folders that have nothing in them.
    """

    files: list[SourceFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    doubled: list[LeftOut] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    @property
    def bad_names(self) -> list[LeftOut]:
        """What is left out for its name alone."""
        return [each for each in self.left_out if each.name is not None]


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to walk: its parts below the named one, and the folders that it lies in."""

    path: Path
    parts: tuple[str, ...] = ()
    above: tuple[_FileIdentity, ...] = ()


class Walk:
    """A walk through folders; ``follow``: links are followed, each folder once on its way down."""

    def __init__(self, settings: Settings, *, prefix: str, follow: bool, compose: bool) -> None:
        self._own = dict(_identified(settings))
        self._prefix, self._follow, self._compose = prefix, follow, compose
        self._taken: dict[str, Path] = {}
        self.result = SourceFiles()

    def take(self, folder: Path) -> None:
        """Take the files below a folder; their names are relative to it."""
        waiting = [_Folder(folder)]
        while waiting:
            waiting.extend(reversed(self._below(waiting.pop())))

    def add(self, file: SourceFile) -> None:
        """Take one file, once; not where no artifact can have its name, or another file has it already."""
        named = replace(file, name=unicodedata.normalize("NFC", file.name)) if self._compose else file
        try:
            check_name(named.name)
        except InvalidName as error:
            self._leave(file.path, f"{error.data['problem']}. {error.data['fix']}", name=named.name)
            return
        first = self._taken.get(named.name)
        if first == file.path:  # named twice
            return
        if first is not None:
            reason = f"its name would be that of {_shown(str(first))}"
            self.result.doubled.append(LeftOut(_shown(str(file.path)), reason, _shown(named.name)))
            return
        self._taken[named.name] = file.path
        self.result.files.append(named)

    def _below(self, folder: "_Folder") -> list["_Folder"]:
        """Take the files of a folder; return the folders in it."""
        try:
            with os.scandir(folder.path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            status = folder.path.stat()
        except OSError as error:
            self._leave(folder.path, f"the folder cannot be read: {error.strerror}")
            return []
        identity = (status.st_dev, status.st_ino)
        if own := self._own.get(identity):
            self._leave(folder.path, f"it is {own} of this installation")
            return []
        if not listed:
            self.result.empty.append(_shown(str(folder.path)))
        if identity in folder.above:
            self._leave(folder.path, "it is a link to a folder that it lies in")
            return []
        above = (*folder.above, identity)
        return [_Folder(Path(e.path), (*folder.parts, e.name), above) for e in listed if self._entry(e, folder.parts)]

    def _entry(self, entry: os.DirEntry[str], parts: tuple[str, ...]) -> bool:
        """Take an entry that is a file; return True for a folder."""
        path = Path(entry.path)
        if entry.is_symlink() and not self._follow:
            self._leave(path, "it is a link; --follow-links takes what it leads to")
            return False
        try:
            status = entry.stat(follow_symlinks=self._follow)
        except OSError as error:
            self._leave(path, f"it cannot be read: {error.strerror}")
            return False
        if stat.S_ISREG(status.st_mode):
            name = self._prefix + "/".join((*parts, entry.name))
            self.add(SourceFile(path, name, status.st_size, status.st_mtime, inside=True, follow=self._follow))
        elif not stat.S_ISDIR(status.st_mode):
            self._leave(path, "it is no plain file")
        return stat.S_ISDIR(status.st_mode)

    def _leave(self, path: Path, reason: str, *, name: str | None = None) -> None:
        shown = None if name is None else _shown(name)
        self.result.left_out.append(LeftOut(_shown(str(path)), reason, shown))


@contextmanager
def opened(file: SourceFile) -> Iterator[BinaryIO]:
    """Open a file's content, or stdin. Raises InvalidInput."""
    if file.path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        content = file.open()
    except OSError as error:
        raise InvalidInput(
            field="file",
            value=str(file.path),
            problem=f"it cannot be read: {error.strerror}",
            fix="Check its permissions.",
        ) from error
    with content:
        yield content


def looked_at(file: SourceFile) -> SourceFile:
    """Return a file that was named itself with its size and time; a pipe has neither."""
    try:
        status = file.path.stat()
    except OSError:
        return file  # whoever opens it says why
    if not stat.S_ISREG(status.st_mode):
        return file
    return replace(file, size=status.st_size, modified=status.st_mtime)


def _shown(text: str) -> str:
    """Return a name that can be printed: bytes that are no UTF-8 are escaped."""
    return text.encode(errors="backslashreplace").decode()


def _identified(settings: Settings) -> Iterator[tuple[_FileIdentity, str]]:
    for what, folder in roots.own_folders(settings.home, settings.tiers, settings.staging.url):
        try:
            status = folder.stat()
        except OSError:
            continue
        yield (status.st_dev, status.st_ino), what
