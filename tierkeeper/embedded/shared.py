"""Shares one server between processes: the first user starts it, the last one stops it.

A user is a file that its process keeps locked. The kernel releases the lock when the process ends, in any way, so a
killed user never counts, and a reused process number is not mistaken for a user.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from tierkeeper.embedded.errors import EmbeddedUnavailable
from tierkeeper.embedded.process import private_file, private_folder
from tierkeeper_client import files


class SharedServer(Protocol):
    """A server that processes can share."""

    def start(self) -> None:
        """Start the server unless it runs; return once it answers."""

    def process_id(self) -> int | None:
        """Return the process id of the server, None while it does not run."""

    def unavailable(self, reason: str) -> EmbeddedUnavailable:
        """Return the error of this server that says ``reason``."""

    def stop(self) -> None:
        """Stop the server if it runs."""


class Membership:
    """One user of a server, from :meth:`join` to :meth:`leave`."""

    def __init__(self, server: SharedServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._process = os.getpid()
        self._file = folder / f"{self._process}-{uuid4().hex}"
        self._handle = -1

    def join(self) -> None:
        """Become a user, and start the server unless it runs."""
        with locked(self._folder / "lock"):
            self._handle = private_file(self._file, os.O_RDWR)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                self._server.start()
            except BaseException:
                self._forget()
                raise

    @property
    def server(self) -> SharedServer:
        """The server that is shared."""
        return self._server

    def revive(self) -> None:
        """Start the server unless it runs, or this user left meanwhile.

        Several processes may find it dead, and one of them starts it.
        """
        with locked(self._folder / "lock"):
            if self._handle != -1:
                self._server.start()

    def leave(self) -> None:
        """Stop being a user; the last one stops the server. No effect in a forked child, or a second time."""
        if self._handle == -1 or os.getpid() != self._process:
            return
        with locked(self._folder / "lock"):
            self._forget()
            others = [file for file in self._folder.glob("*-*") if _lives(file)]
            if not others:
                self._server.stop()

    def _forget(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_UN)  # closing alone would leave the lock to forked children
        os.close(self._handle)
        self._handle = -1
        self._file.unlink(missing_ok=True)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``file``, against other threads and processes; created if missing."""
    private_folder(file.parent)
    handle = private_file(file, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _lives(file: Path) -> bool:
    """Return True if the user of ``file`` is alive; the file of a dead one is removed."""
    handle = files.open_plain(file, flags=os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    file.unlink(missing_ok=True)
    return False
