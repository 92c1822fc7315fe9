"""A real Celery worker, started and stopped by a figure."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from celery import Celery

from benchmarks.harness.machine import descendants, forget_peak, peak_memory
from tierkeeper.cli.support.programs import INGEST_THREADS

ROOT = Path(__file__).parents[2]
STARTING = 60  # seconds
#: the pool of the queue ingest, as `tierkeeper up` has it
THREADS = ("--pool=threads", f"--concurrency={INGEST_THREADS}")


class Worker:
    """A worker with a ``pool`` of either kind; ``env`` is its whole environment."""

    def __init__(self, app: str, env: Mapping[str, str], log: Path, *, pool: Sequence[str]) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", app, "worker", *pool, "--loglevel=WARNING"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, sender: Celery) -> None:
        """Wait until the worker answers."""
        until = time.monotonic() + STARTING
        while not sender.control.ping(timeout=0.5):
            assert time.monotonic() < until, "the worker did not start"

    def peak(self) -> int:
        """Return the most bytes that one of its processes held in memory since :meth:`forget_peak`."""
        return max(peak_memory(pid) for pid in descendants(self._process.pid))

    def forget_peak(self) -> None:
        """Reset the peaks of its processes."""
        for pid in descendants(self._process.pid):
            forget_peak(pid)

    def stop(self) -> None:
        """Kill the worker at once; nothing that it did is needed any more."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
