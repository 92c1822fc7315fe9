"""The product as a user runs it: ``tierkeeper up`` with all its processes, their memory by role, and its log."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from celery import Celery

from benchmarks.harness import services
from benchmarks.harness.machine import children, descendants
from tierkeeper.embedded.process import wait_until
from tierkeeper_client.settings import shared_settings

STARTING: Final = 120  # seconds
STOPPING: Final = 120  # seconds; a task under way may take `engine.task_seconds`
WORKERS: Final = 2
COMMAND: Final = str(Path(sys.executable).with_name("tierkeeper"))
_WRONG: Final = frozenset({"error", "critical"})
#: of lines that are no JSON: a traceback, and what the supervisor says of a process that died or hung
_WRONG_WORDS: Final = ("Traceback", "ERROR", "CRITICAL", "started again", "is killed", "killed;")


class Product:
    """A running ``tierkeeper up``. ``env`` is its whole environment but PATH and HOME, ``place`` its working folder.

    Flower listens on the port of ``env``, and the log is JSON there.
    """

    def __init__(self, env: Mapping[str, str], place: Path) -> None:
        self._env = {"PATH": os.environ["PATH"], "HOME": str(place), **env}
        self._place = place
        self._log = place / "up.log"
        self._process = services.start_logged([COMMAND, "up"], folder=place, env=self._env, log=self._log)

    @property
    def alive(self) -> bool:
        """Whether ``up`` has not ended."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until both workers answer, and Flower."""
        sender = Celery("benchmark_sender", set_as_current=False)
        sender.conf.update(shared_settings(self._env["TIERKEEPER_BROKER__URL"]))
        self._wait_for(lambda: len(sender.control.ping(timeout=1.0) or ()) >= WORKERS, what="the workers")
        self._wait_for(lambda: _listens(int(self._env["TIERKEEPER_FLOWER__PORT"])), what="Flower")

    def _wait_for(self, ready: Callable[[], bool], *, what: str) -> None:
        started = wait_until(lambda: ready() or not self.alive, seconds=STARTING)
        assert started, f"{what} did not answer: {self._log.read_text()[-2000:]}"
        assert self.alive, f"it ended: {self._log.read_text()[-2000:]}"

    def roles(self) -> Mapping[str, list[int]]:
        """Return the processes by what they are: ``up``, each program of it, and the children of these."""
        found: dict[str, list[int]] = {"up": [self._process.pid]}
        for pid in children(self._process.pid):
            with suppress(OSError):  # the process has ended
                role = _program(Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0"))
                found.setdefault(role, []).append(pid)
                if below := descendants(pid)[1:]:
                    found.setdefault(f"{role}'s children", []).extend(below)
        return found

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of tierkeeper on the same settings."""
        return subprocess.run(
            [COMMAND, *words], cwd=self._place, env=self._env, capture_output=True, text=True, check=False
        )

    def stop(self) -> int:
        """End it as Ctrl-C does, if it has not ended; return the exit code."""
        if self.alive:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOPPING)
            except subprocess.TimeoutExpired:
                self._process.kill()  # its programs end with it
        return self._process.wait()

    def wrong_lines(self) -> list[str]:
        """Return the lines of the log that tell an error, or that a process was started again."""
        return [line for level, line in self._lines() if level in _WRONG]

    def warnings(self) -> Counter[str]:
        """Return how often the log warned, by the words of the warning."""
        lines = (json.loads(line.partition(" | ")[2]) for level, line in self._lines() if level == "warning")
        return Counter(str(line.get("event")) for line in lines)

    def _lines(self) -> Iterator[tuple[str, str]]:
        """Yield each line with its level."""
        with self._log.open(errors="replace") as log:
            for line in log:
                try:
                    level = str(json.loads(line.partition(" | ")[2])["level"])
                except (ValueError, KeyError, TypeError):
                    level = "error" if any(word in line for word in _WRONG_WORDS) else ""
                yield level, line.rstrip()


def _program(command: list[str]) -> str:
    """Return what a program of ``up`` is called: the beginning of a worker's node name, else Celery's own word."""
    if "--hostname" in command:
        return command[command.index("--hostname") + 1].partition("@")[0]
    return command[command.index("--quiet") + 1] if "--quiet" in command else "beginning"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
