"""Finds the Docker engine that answers, or starts one of its own beside it: own socket, own data, stopped at the end.

Everything of our own lies in a cache folder, so that images are made once.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.machine import Unavailable, only_one

NEEDED_PROGRAMS = ("dockerd", "docker", "iptables", "setpriv", "mmdebstrap", "apt-get", "dpkg")
START_TIMEOUT = 60  # seconds; 2 on an idle machine
STOP_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers. ``ours``: started here, so that stand-ins for images disturb nobody."""

    ours: bool
    environment: dict[str, str] = field(default_factory=dict)  # beyond the process's own

    def docker(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run the ``docker`` command; the caller looks at the exit code."""
        try:
            return subprocess.run(
                ["docker", *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(arguments, 124, "", f"no answer in {timeout:g} s")

    def answers(self) -> bool:
        """Say whether the engine answers."""
        return self.docker("info", "--format", "{{.ServerVersion}}", timeout=20).returncode == 0

    def has_compose(self) -> bool:
        """Say whether ``docker compose`` is there, version 2 or newer."""
        done = self.docker("compose", "version", "--short", timeout=20)
        return done.returncode == 0 and not done.stdout.startswith(("1.", "v1."))


def cache_dir() -> Path:
    """Return the folder where the engine's data are kept between runs."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache) / "tierkeeper-docker" if cache else Path("/var/cache/tierkeeper-docker")


def existing() -> Engine | None:
    """Return the engine that answers as things are (``DOCKER_HOST``, or the usual socket), if there is one."""
    found = Engine(ours=False)
    return found if shutil.which("docker") and found.answers() else None


@contextmanager
def own() -> Iterator[Engine]:
    """An engine of our own, for as long as the context lasts; one at a time. Raises :class:`Unavailable`."""
    _check_machine()
    cache = cache_dir()
    try:
        (cache / "config").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"its cache folder {cache} cannot be made ({error}); set XDG_CACHE_HOME"
        raise Unavailable(msg) from error
    with only_one(cache / "lock"):
        socket = f"unix://{cache / 'sock'}"
        found = Engine(ours=True, environment={"DOCKER_HOST": socket, "DOCKER_CONFIG": str(cache / "config")})
        daemon = _start(cache, socket)
        try:
            _wait(found, daemon, cache / "log")
            _tidy(found)
            yield found
        finally:
            _stop(daemon)


def _check_machine() -> None:
    if os.geteuid() != 0:
        msg = "none answers, and to start one needs root"
        raise Unavailable(msg)
    missing = [name for name in NEEDED_PROGRAMS if shutil.which(name) is None]
    if missing:
        msg = f"none answers; {', '.join(missing)} missing; on Debian: apt-get install docker.io iptables mmdebstrap"
        raise Unavailable(msg)


def _start(cache: Path, socket: str) -> subprocess.Popen[bytes]:
    (cache / "pid").unlink(missing_ok=True)  # of one that was killed; the lock says that none runs
    command: Sequence[str] = (
        *("setpriv", "--pdeathsig", "TERM"),  # it ends with us, however we end
        *("dockerd", "--host", socket, "--pidfile", str(cache / "pid")),
        *("--data-root", str(cache / "data"), "--exec-root", str(cache / "exec")),
    )
    with (cache / "log").open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


def _wait(found: Engine, daemon: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT
    while not found.answers():
        if daemon.poll() is not None or time.monotonic() > until:
            last = log.read_text(errors="replace").strip().splitlines()[-3:]
            msg = f"dockerd did not start: {' / '.join(last) or 'no words'} (all of it: {log})"
            raise Unavailable(msg)
        time.sleep(0.2)


def _tidy(found: Engine) -> None:
    """Remove what a run that was killed has left: its containers would be started again with the engine."""
    containers = found.docker("ps", "--all", "--quiet").stdout.split()
    found.docker("rm", "--force", "--volumes", *containers)
    found.docker("volume", "rm", "--force", *found.docker("volume", "ls", "--quiet").stdout.split())
    found.docker("network", "prune", "--force")


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()  # it stops its containers
    try:
        daemon.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
