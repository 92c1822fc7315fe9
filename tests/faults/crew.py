"""Real worker processes on real services, to be killed and restarted; and a keeper of the test's own that looks on."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from support.deployment import wait_for
from support.house import House
from support.processes import LocalProcess

from tierkeeper.base import callers
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import InlineContent, StoreArgs, TaskName
from tierkeeper_client.errors import BrokerUnavailable

TENANT, WORKFLOW = "acme", "reports"
READY = 60  # seconds a worker may take to begin, on a busy machine
#: short leases, so that what a killed worker held is free again within the test; small batches, so that there is a
#: middle in which to kill; the broker gives what a killed worker had taken to another within ten seconds
HASTY: Mapping[str, str] = {
    "TIERKEEPER_ENGINE__LEASE": "3s",
    "TIERKEEPER_ENGINE__RENEW_EVERY": "1s",
    "TIERKEEPER_ENGINE__BATCH": "100",
    "TIERKEEPER_ENGINE__IO_THREADS": "4",
    "TIERKEEPER_ENGINE__GRACE": "0s",
    "TIERKEEPER_ENGINE__TASK_SECONDS": "5",
    "TIERKEEPER_BROKER__VISIBILITY_TIMEOUT": "10s",
}


@dataclass(frozen=True, slots=True)
class Crew:
    """Workers by name; they run the product's own app, with nothing of the tests in them."""

    house: House
    client: TierkeeperClient
    env: Mapping[str, str]
    folder: Path
    workers: dict[str, LocalProcess] = field(default_factory=dict)
    retired: list[LocalProcess] = field(default_factory=list)

    @property
    def keeper(self) -> Keeper:
        """The test's own keeper: it looks, the workers do."""
        return self.house.keeper

    # -- workers

    def hire(
        self,
        name: str = "worker",
        *,
        concurrency: int = 2,
        pool: str = "prefork",
        env: Mapping[str, str] | None = None,
    ) -> LocalProcess:
        """Start a worker; it is not waited for. One that had the name is left as it is: children may go on."""
        if name in self.workers:
            self.retired.append(self.workers[name])
        command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--loglevel=INFO", "-n", f"{name}@%h"]
        command += [f"--pool={pool}", f"--concurrency={concurrency}", "--without-mingle"]  # saves a second
        self.workers[name] = LocalProcess(name, command, folder=self.folder, env={**self.env, **(env or {})})
        return self.workers[name]

    def ready(self) -> None:
        """Wait until every worker takes messages."""
        for worker in self.workers.values():
            wait_for(lambda worker=worker: b" ready." in worker.logs(), timeout=READY, what=f"{worker.name} to begin")  # type: ignore[misc]  # early binding

    def children(self, worker: LocalProcess) -> list[int]:
        """Return the processes that do the tasks."""
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(worker.pid)], capture_output=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def words(self, lines: int = 30) -> str:
        """Return the last words of every worker."""
        return "\n".join(
            f"--- {name}\n" + b"\n".join(worker.all_logs().splitlines()[-lines:]).decode(errors="replace")
            for name, worker in self.workers.items()
        )

    # -- messages

    def sweep(self) -> None:
        """Send what Beat sends every minute."""
        for task in (TaskName.ROTATE, TaskName.COLLECT):
            self.client.send(task)

    def until(
        self, condition: Callable[[], bool], *, what: str, meanwhile: Callable[[], None], timeout: float = 60
    ) -> float:
        """Look again and again until ``condition`` holds, with ``meanwhile`` every second; return the seconds."""
        started = last = time.monotonic()

        def looked() -> bool:
            nonlocal last
            if condition():
                return True
            if time.monotonic() - last > 1:
                with contextlib.suppress(BrokerUnavailable):  # whoever sends it tries again later
                    meanwhile()
                last = time.monotonic()
            return False

        try:
            wait_for(looked, timeout=timeout, what=what, every=0.05)
        except AssertionError as error:
            msg = f"{error}; {self.state()}\n{self.words()}"
            raise AssertionError(msg) from None
        return time.monotonic() - started

    # -- looking

    def count(self, table: str, where: str = "true") -> int:
        """Return how many rows a table has."""
        return int(self.house.sql(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])  # noqa: S608  a test's own words

    def settled(self) -> bool:
        """Say whether nothing is left to do, by the catalog alone."""
        due = self.count("schedule", "parked_reason IS NULL AND due_at <= clock_timestamp()")
        return not due and not self.count("placements", "state <> 'present'")

    def state(self) -> dict[str, int]:
        """Return what lies where, and what is left to do."""
        found = {
            f"{row.tier} {row.state}": int(row.found)
            for row in self.house.sql("SELECT tier, state, count(*) AS found FROM placements GROUP BY 1, 2")
        }
        return {
            **found,
            "artifacts": self.count("artifacts"),
            "due": self.count("schedule", "parked_reason IS NULL AND due_at <= clock_timestamp()"),
            "parked": self.count("schedule", "parked_reason IS NOT NULL"),
        }

    def stop(self) -> None:
        """End everything."""
        for worker in [*self.workers.values(), *self.retired]:
            worker.kill()


def items(contents: Mapping[str, bytes], *, age: timedelta) -> list[StoreArgs]:
    """Return what a message that stores many carries.

    Each is stored as a new version whatever was there, so that a second effect would show.
    """
    created = datetime.now(UTC) - age
    named = {"tenant": TENANT, "workflow": WORKFLOW, "created": created, "force": True}
    return [StoreArgs(name=name, content=InlineContent.of(content), **named) for name, content in contents.items()]


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to one process, which may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


class OpenCrew(Protocol):
    """Opens a crew; see :func:`crews`."""

    def __call__(self, *, broker: str = "", settings: Mapping[str, str] | None = None) -> Crew: ...


@contextmanager
def crews(
    folder: Path,
    *,
    catalog: str,
    broker: str,
    settings: Mapping[str, str] | None = None,
    tiers: Mapping[str, str] | None = None,
    prepare: bool = True,
) -> Iterator[Crew]:
    """A crew without workers yet, on folders as tiers where nothing else is said; ``prepare``: on a ready catalog."""
    folder.mkdir(parents=True, exist_ok=True)
    urls = {
        "hot": f"{(folder / 'hot').as_uri()}?fsync=no",
        "warm": f"{(folder / 'warm').as_uri()}?fsync=no&layout=cas",
        "cold": f"{(folder / 'cold').as_uri()}?fsync=no&layout=cas",
        **(tiers or {}),
    }
    env = {
        "TIERKEEPER_HOME": str(folder / "home"),
        "TIERKEEPER_CATALOG__URL": catalog,
        "TIERKEEPER_BROKER__URL": broker,
        "TIERKEEPER_RESULTS__URL": broker,
        **{f"TIERKEEPER_TIERS__{name.upper()}__URL": url for name, url in urls.items()},
        **HASTY,
        **(settings or {}),
    }
    loaded = load(environ=env)
    with Keeper.open(loaded) as keeper, TierkeeperClient(broker, broker, loaded.staging.url) as client:
        if prepare:
            keeper.init(caller=callers.INIT)
        crew = Crew(House(keeper, loaded), client, env, folder)
        try:
            yield crew
        finally:
            crew.stop()
