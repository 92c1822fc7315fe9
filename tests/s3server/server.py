"""Starts and stops the S3 server: one process group in namespaces of its own, on ports of its own."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.http_status import served
from support.machine import Unavailable
from support.ports import free_ports

from s3server import root

ACCESS_KEY = "tierkeeper-test"
SECRET_KEY = "tierkeeper-test-secret"  # of a throw-away server on 127.0.0.1
SIZE = 16 * 1024**3  # bytes it says it holds; memory is taken as it fills
START_TIMEOUT = 90  # seconds; 4 on an idle machine

ENTER = """
set -eu
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"
cp "$2" "$1/run/inside.py"
root=$1; shift 2
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 python3 /run/inside.py "$@"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: the process to end, and what a client needs."""

    pid: int
    port: int
    log: Path

    @property
    def endpoint(self) -> str:
        """The URL of the S3 API."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return what the tests read."""
        return {
            "TIERKEEPER_TEST_S3_ENDPOINT": self.endpoint,
            "TIERKEEPER_TEST_S3_ACCESS_KEY": ACCESS_KEY,
            "TIERKEEPER_TEST_S3_SECRET_KEY": SECRET_KEY,
        }

    def stop(self) -> None:
        """End it. Nothing needs saving: its data is memory, and every daemon ends with its namespace."""
        stop(self.pid)


def stop(pid: int) -> None:
    """End the server whose first process is ``pid``; nothing happens when it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def alive(pid: int) -> bool:
    """Say whether ``pid`` is a server of ours (and not a later process with that number)."""
    try:
        return b"inside.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def start(*, log: Path, end_with_us: bool) -> Server:
    """Start a server and wait until it answers; raise :class:`Unavailable` when it cannot be had.

    With ``end_with_us`` it ends when this process does, even by SIGKILL; else it stays until :func:`stop`.
    """
    place = root.ensure()
    port, mon_v1, mon_v2 = free_ports(3)
    command = [
        *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"),
        *("sh", "-c", ENTER, "s3server", str(place), str(Path(__file__).with_name("inside.py"))),
        *(f"--port={port}", f"--mon-v1={mon_v1}", f"--mon-v2={mon_v2}", f"--size={SIZE}"),
        *(f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}"),
    ]
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--until-eof"] if end_with_us else command,
            stdin=subprocess.PIPE if end_with_us else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(pid=process.pid, port=port, log=log)
    try:
        _wait(server, process)
    except BaseException:
        server.stop()
        raise
    print(f"s3server: {server.endpoint} after {time.monotonic() - began:.1f} s", file=sys.stderr)  # noqa: T201  progress
    _pipes.append(process.stdin)
    return server


_pipes: list[IO[bytes] | None] = []  # held open: their end is what ends a server started with end_with_us


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_TIMEOUT
    while not served(server.endpoint):
        if process.poll() is not None or time.monotonic() > until:
            last = server.log.read_text(errors="replace").strip().splitlines()[-5:]
            msg = f"it did not start: {' / '.join(last) or 'no words'} (all of it: {server.log})"
            raise Unavailable(msg)
        time.sleep(0.1)
