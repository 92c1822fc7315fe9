"""The lock of a home against a second set of workers: those of the demo delete after seconds and not hours.

The processes of a set hold it too (``flock`` lasts until the last of them has ended), so that none begins beside what a
killed command left. The file names who holds it, a line each, the command first.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TextIO

from tierkeeper.base.errors import InvalidInput
from tierkeeper.embedded.process import private_file, private_folder, runs
from tierkeeper.settings.settings import Settings

_HOLDER: Final = re.compile(r"^(.+) ([0-9]{1,10})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HomeLock:
    """A lock that is held: who is given its ``file`` holds it too."""

    file: TextIO

    def note(self, name: str, process: int) -> None:
        """Write down that a process called ``name`` holds the lock."""
        self.file.write(f"{name} {process}\n")
        self.file.flush()


@contextmanager
def lock_home(settings: Settings, *, by: str) -> Iterator[HomeLock]:
    """Lock the home for the workers of ``by``. Raises InvalidInput, naming the holders, if other processes have it."""
    home = private_folder(settings.home, group=settings.home_group)
    handle = private_file(home / "workers.lock", os.O_RDWR)
    with os.fdopen(handle, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            problem, fix = _held(file.read())
            raise InvalidInput(field="home", value=str(home), problem=problem, fix=fix) from error
        file.truncate()
        lock = HomeLock(file)
        lock.note(by, os.getpid())
        yield lock
        file.seek(0)
        file.truncate()


def _held(noted: str) -> tuple[str, str]:
    """Return what is wrong and what to do where others hold a lock, by what its file says of them."""
    holders = [(name, int(process)) for name, process in _HOLDER.findall(noted)]
    by, first = holders[0] if holders else (noted.strip() or "another command", None)  # of a release before, or of now
    if first is None or runs(first):
        return f"`{by}` runs there already", "Stop it first, or choose another folder with --home."
    left = ", ".join(f"{name} (process {process})" for name, process in holders[1:] if runs(process, "worker.start"))
    problem = f"`{by}` was killed there, and what it began has not ended: {left or 'processes of its worker'}"
    return problem, "Try again in a minute: tasks under way end first. If need be, kill these processes."
