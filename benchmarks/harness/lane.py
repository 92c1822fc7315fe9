"""A process that works on command: it runs the engine's sweeps as a worker's process does, or the bare calls.

``python -m benchmarks.harness.lane VERB …`` prints ``ready``, waits for a line, works, prints ``done``. Starting and
connecting are not measured, because a worker does both once.
"""

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import TypedDict
from uuid import UUID

from benchmarks.harness.bare import BULK, Access, Bare
from benchmarks.harness.filling import content
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load

ROOT = Path(__file__).parents[2]
Item = tuple[str, str, int]  # location, SHA-256 in base64, size


class Job(TypedDict):
    """The job of the bare calls, as read from its JSON file."""

    access: dict[str, str]
    source: str
    target: str
    items: list[Item]


class Lanes:
    """A group of lanes; call :meth:`start` before the measurement and :meth:`work` within it."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, commands: Sequence[Sequence[str]], env: Mapping[str, str]) -> None:
        """Start one process per command (the verb and its arguments) and wait until all are ready."""
        for command in commands:
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.harness.lane", *command],
                    cwd=ROOT,
                    env={"PATH": "/usr/bin:/bin", **env},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        for process in self._processes:
            _expect(process, "ready")

    def work(self) -> None:
        """Start the work of all lanes, and wait until they are done and have ended."""
        self.tell("")

    def tell(self, line: str) -> None:
        """Send ``line`` to all lanes, and wait until they are done and have ended."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        for process in self._processes:
            _expect(process, "done")
        for process in self._processes:
            assert process.wait() == 0
        self._processes = []


def _expect(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line == word, f"a lane said {line!r} instead of {word!r}"


def converge() -> Callable[[str], None]:
    """Return the work of converging due artifacts for the run whose id is the line."""
    keeper = Keeper.open(load())
    keeper.runs.latest(limit=1)
    gc.collect()  # as a worker's process does (worker/signals.py)
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)

    def work(line: str) -> None:
        keeper.sweeps.converge_due(UUID(line))
        keeper.close()

    return work


def bare(task: str, file: str, threads: str) -> Callable[[str], None]:
    """Return the work of ``task`` (move, delete, put) on the items of ``file`` by bare calls in ``threads`` threads."""
    job: Job = json.loads(Path(file).read_text())
    client = Bare(Access(**job["access"]))
    pool = ThreadPoolExecutor(int(threads))

    def work(_line: str) -> None:
        _BARE[task](client, pool, job)
        pool.shutdown()

    return work


def _move(client: Bare, pool: ThreadPoolExecutor, job: Job) -> None:
    """Copy, HEAD and compare; delete the sources in bulk while further copies run."""

    def copied(item: Item) -> str:
        key, checksum, size = item
        client.copy(job["target"], key, f"{job['source']}/{key}")
        assert client.head(job["target"], key) == (size, checksum)
        return key

    with ThreadPoolExecutor(1) as deleting:
        bulks = []
        for start in range(0, len(job["items"]), BULK):
            keys = list(pool.map(copied, job["items"][start : start + BULK]))
            bulks.append(deleting.submit(client.delete_many, job["source"], keys))
        for bulk in bulks:
            bulk.result()


def _delete(client: Bare, pool: ThreadPoolExecutor, job: Job) -> None:
    keys = [item[0] for item in job["items"]]
    parts = [keys[i : i + BULK] for i in range(0, len(keys), BULK)]
    list(pool.map(lambda part: client.delete_many(job["source"], part), parts))


def _put(client: Bare, pool: ThreadPoolExecutor, job: Job) -> None:
    """Write a fresh object for each item, under its own key."""
    list(pool.map(lambda item: client.put(job["target"], item[0], content(UUID(item[0][-36:]))), job["items"]))


_BARE: dict[str, Callable[[Bare, ThreadPoolExecutor, Job], None]] = {"move": _move, "delete": _delete, "put": _put}
_VERBS: dict[str, Callable[..., Callable[[str], None]]] = {"converge": converge, "bare": bare}


def main() -> None:
    """Get ready, wait, work; logs go to stderr, because stdout carries the answers."""
    with redirect_stdout(sys.stderr):
        work = _VERBS[sys.argv[1]](*sys.argv[2:])
        print("ready", file=sys.__stdout__, flush=True)
        work(sys.stdin.readline().strip())
        print("done", file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
