"""The lock of a home against a second set of workers: those of the demo delete after seconds and not hours."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tierkeeper.base.errors import InvalidInput
from tierkeeper.embedded.process import private_file, private_folder
from tierkeeper.settings.settings import Settings


@contextmanager
def lock_home(settings: Settings, *, by: str) -> Iterator[None]:
    """Lock the home for the workers of ``by``. Raises InvalidInput, naming the holder, if another process has it."""
    home = private_folder(settings.home, group=settings.home_group)
    handle = private_file(home / "workers.lock", os.O_RDWR)
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
