"""The lock of a home against a second set of workers: those of the demo delete after seconds and not hours."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tierkeeper.base.errors import InvalidInput
from tierkeeper.embedded.process import private_folder


@contextmanager
def lock_home(home: Path, *, by: str) -> Iterator[None]:
    """Lock ``home`` for the workers of ``by``. Raises InvalidInput, naming the holder, if another process has it."""
    private_folder(home)
    handle = os.open(home / "workers.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidInput(
                field="home",
                value=str(home),
                problem=f"`{file.read().strip()}` runs there already",
                fix="Stop it first, or choose another folder with --home.",
            ) from error
        file.truncate()
        file.write(by)
        file.flush()
        yield
        file.seek(0)
        file.truncate()
