"""A catalog, a broker, tiers in folders, and the processes that use them."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from celery import Celery
from support import checkout
from support.processes import LocalProcess

from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import Ref

PATIENCE = 60  # seconds


@dataclass(frozen=True, slots=True)
class Installation:
    """``env`` tells a process of all of it; ``keeper`` is this process's, to look with."""

    settings: Settings
    env: Mapping[str, str]
    keeper: Keeper

    def worker(self, name: str, *arguments: str, folder: Path, app: str = "worker.app", **env: str) -> LocalProcess:
        """Start the worker ``name``@test, of our app or of one made from it, and wait until it is ready."""
        node = f"{name}@test"
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-n", node, *arguments]
        path = checkout.first(checkout.ROOT / "tests")
        process = LocalProcess(name, command, folder=folder, env={**self.env, "PYTHONPATH": path, **env})
        wait_until(lambda: f"{node} ready".encode() in process.logs() or process.status == "exited")
        assert process.status == "running", process.logs().decode()
        return process

    def plain(self) -> Celery:
        """A producer that knows nothing of tierkeeper."""
        return Celery(broker=self.settings.broker.url, backend=self.settings.results.url, set_as_current=False)

    def sql(self, statement: str, **arguments: Any) -> list[Any]:  # noqa: ANN401  what SQL takes
        """Run one statement on the catalog; return its rows."""
        with self.keeper.engine.catalog.engine.begin() as connection:
            result = connection.execute(sa.text(statement), arguments)
            return list(result) if result.returns_rows else []

    def read(self, tenant: str, workflow: str, name: str, version: int | None = None) -> bytes:
        """Return an artifact's bytes."""
        with self.keeper.artifacts.open(Ref(tenant, workflow, name, version)) as reading:
            return b"".join(reading.chunks)


def wait_until(condition: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Wait until ``condition`` holds; after ``seconds`` the test fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it did not happen in time")
        time.sleep(0.05)
