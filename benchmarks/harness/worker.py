"""Celery's real programs, started and stopped by a figure: a worker, Beat."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from celery import Celery

from benchmarks.harness import services
from benchmarks.harness.machine import descendants, forget_peak, peak_memory
from tierkeeper.cli.support.programs import INGEST_THREADS
from tierkeeper.embedded.process import wait_until

ROOT = Path(__file__).parents[2]
STARTING = 60  # seconds
#: the pool of the queue ingest, as `tierkeeper up` has it
INGEST_POOL = ("--pool=threads", f"--concurrency={INGEST_THREADS}")


class Program:
    """A program of Celery; ``arguments`` are its name and options, ``env`` is its whole environment."""

    def __init__(self, app: str, env: Mapping[str, str], log: Path, arguments: Sequence[str]) -> None:
        self._process = services.start_logged(
            [sys.executable, "-m", "celery", "-A", app, *arguments, "--loglevel=WARNING"],
            folder=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **env},
            log=log,
        )

    def stop(self) -> None:
        """Kill the program at once; nothing that it did is needed any more."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Worker(Program):
    """A worker with a ``pool`` of either kind."""

    def __init__(self, app: str, env: Mapping[str, str], log: Path, *, pool: Sequence[str]) -> None:
        super().__init__(app, env, log, ["worker", *pool])

    def wait(self, sender: Celery) -> None:
        """Wait until the worker answers."""
        started = wait_until(lambda: bool(sender.control.ping(timeout=0.5)), seconds=STARTING)
        assert started, "the worker did not start"

    def pause(self) -> None:
        """Stop all its processes until :meth:`go_on`."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let its processes go on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def peak(self) -> int:
        """Return the most bytes that one of its processes held in memory since :meth:`forget_peak`."""
        return max(peak_memory(pid) for pid in descendants(self._process.pid))

    def forget_peak(self) -> None:
        """Reset the peaks of its processes."""
        for pid in descendants(self._process.pid):
            forget_peak(pid)
