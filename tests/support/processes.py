"""Local process groups with the face of a Docker container, for pytest-celery's nodes where there is no engine.

pytest-celery asks a container for its name, id, status, attributes and logs, and to kill, restart and run commands.
One process group answers all of it; everything above (nodes, clusters, setups) is pytest-celery's own.
"""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STOP_TIMEOUT = 20  # seconds for a warm shutdown, then it is killed


def start_logged(command: Sequence[str], *, folder: Path, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own; ``env`` is all of its environment, what it writes is added to ``log``."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class LocalProcess:
    """One process and its children. ``env`` is all of its environment but PATH and HOME: nothing leaks in."""

    def __init__(self, name: str, command: Sequence[str], *, folder: Path, env: Mapping[str, str]) -> None:
        self.id = uuid.uuid4().hex
        self.name = name
        self.env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(folder),
            "PYTHONUNBUFFERED": "1",
            **env,
        }
        self._command = list(command)
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._started_at = 0  # where in the log the present process begins
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._started_at = self._log.stat().st_size if self._log.exists() else 0
        return start_logged(self._command, folder=self._folder, env=self.env, log=self._log)

    @property
    def pid(self) -> int:
        """The first process's id, and the group's."""
        return self._process.pid

    @property
    def status(self) -> str:
        """``running`` or ``exited``, as Docker says it."""
        return "running" if self._process.poll() is None else "exited"

    @property
    def attrs(self) -> dict[str, Any]:
        """What Docker tells of a container that has no network of its own."""
        return {
            "NetworkSettings": {"Networks": {}, "Ports": {}},
            "HostConfig": {"PortBindings": {}},
            "Config": {"Hostname": "127.0.0.1", "Env": [f"{k}={v}" for k, v in self.env.items()]},
        }

    def reload(self) -> None:
        """Do nothing: the state is always fresh."""

    def logs(self) -> bytes:
        """Return what the present process has written; :meth:`all_logs` has what came before a restart too."""
        return self.all_logs()[self._started_at :]

    def all_logs(self) -> bytes:
        """Return everything that was written under this name."""
        return self._log.read_bytes()

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Send a signal: SIGKILL to the whole group, as to a container; others to the first process."""
        number = _number(signal)
        if number == _number("SIGKILL"):
            self._kill_group()
            self._process.wait()
            return
        self._process.send_signal(number)
        if number in {_number("SIGTERM"), _number("SIGINT"), _number("SIGQUIT")}:
            self._wait()

    def stop(self, timeout: int = STOP_TIMEOUT) -> None:
        """End it warmly, and whatever is left of its group hard."""
        if self._process.poll() is None:
            self._process.terminate()
            self._wait(timeout)
        self._kill_group()

    def restart(self, timeout: int = STOP_TIMEOUT) -> None:
        """Stop it and start it again."""
        self.stop(timeout)
        self._process = self._start()

    def exec_run(self, command: str | list[str]) -> tuple[int, bytes]:
        """Run a command where the process runs; return its exit code and output."""
        words = command if isinstance(command, list) else ["sh", "-c", command]
        done = subprocess.run(
            words, cwd=self._folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        return done.returncode, done.stdout

    def _wait(self, timeout: int = STOP_TIMEOUT) -> None:
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill_group()
            self._process.wait()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _number(signal_: str | int) -> int:
    return signal.Signals[signal_] if isinstance(signal_, str) else signal_
