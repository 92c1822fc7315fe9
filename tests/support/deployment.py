"""A whole deployment as the tests see it: its settings, a keeper to look with, and ways to wait."""

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from celery.result import AsyncResult

from support.nodes import Beat, Flower
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import Stored
from tierkeeper.stores.factory import make
from tierkeeper.values.artifacts import ArtifactView, Filter, Ref
from tierkeeper_client.client import Handle, TierkeeperClient
from tierkeeper_client.contract import ArtifactRef, StoreArgs, TaskName

TENANT, WORKFLOW = "acme", "reports"
ANSWER_TIMEOUT = 30  # seconds for a task's result


@dataclass(frozen=True, slots=True)
class Deployment:
    """The worker runs already; Beat and Flower are started by the tests that need them."""

    settings: Settings
    env: Mapping[str, str]
    keeper: Keeper  # of this process: it looks, the worker does
    client: TierkeeperClient
    folder: Path

    def ref(self, name: str, version: int | None = None) -> ArtifactRef:
        """Return the reference a message carries."""
        return ArtifactRef(tenant=TENANT, workflow=WORKFLOW, name=name, version=version)

    def store(self, name: str, content: bytes | Path, *, age: timedelta | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  what the client takes
        """Store through the queue and wait for the answer; ``age`` puts its creation into the past."""
        created = None if age is None else datetime.now(UTC) - age
        handle = self.client.store(content, tenant=TENANT, workflow=WORKFLOW, name=name, created=created, **more)
        return handle.get(ANSWER_TIMEOUT)

    def store_many(self, contents: Mapping[str, bytes], *, age: timedelta) -> dict[str, Any]:
        """Store many small ones with one message."""
        created = datetime.now(UTC) - age
        items = [
            StoreArgs(
                tenant=TENANT, workflow=WORKFLOW, name=name, content=self.client.content(content), created=created
            )
            for name, content in contents.items()
        ]
        return self.client.store_many(items).get(60)

    def show(self, name: str) -> ArtifactView:
        """Return what the catalog says of an artifact."""
        return self.keeper.artifacts.show(Ref(TENANT, WORKFLOW, name))

    def tiers(self, name: str) -> set[str]:
        """Return the tiers with a present copy of an artifact."""
        return set(self.show(name).tiers)

    def read(self, name: str) -> bytes:
        """Return an artifact's bytes, verified by the keeper while reading."""
        with self.keeper.artifacts.open(Ref(TENANT, WORKFLOW, name)) as reading:
            target = io.BytesIO()
            target.writelines(reading.chunks)
        return target.getvalue()

    def count(self, *, tier: str | None = None) -> int:
        """Return how many live artifacts there are (in a tier)."""
        return self.keeper.artifacts.count(Filter(tenant=TENANT, tier=tier))

    def objects(self, tier: str) -> list[Stored]:
        """Return what really lies in a tier, asked of its store and not of the catalog."""
        store = make(tier, self.settings.tiers[tier], io_threads=2, catalog_url=self.settings.catalog.url)
        try:
            return list(store.list())
        finally:
            store.close()

    def sweep_until(self, condition: Callable[[], bool], *, what: str, timeout: float = 60) -> None:
        """Send the sweeps again and again, as Beat does every minute, until ``condition`` holds."""

        def swept() -> bool:
            if condition():
                return True
            self.client.send(TaskName.ROTATE)
            self.client.send(TaskName.COLLECT)
            return False

        wait_for(swept, timeout=timeout, what=what, every=1)

    def beat(self) -> Beat:
        """Start Beat."""
        return Beat(self.folder, self.env)

    def flower(self) -> Flower:
        """Start Flower."""
        return Flower(self.folder, self.env)


def one(handle: Handle | AsyncResult[Any]) -> dict[str, Any]:
    """Wait for a verb's answer and return its result for the one version concerned."""
    results = handle.get(timeout=ANSWER_TIMEOUT)["results"]
    assert len(results) == 1, results
    return dict(results[0])


def wait_for(condition: Callable[[], bool], *, timeout: float, what: str, every: float = 0.1) -> None:
    """Wait until ``condition`` holds; fail with ``what`` was waited for after ``timeout`` seconds."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            msg = f"waited {timeout:g} s in vain for {what}"
            raise AssertionError(msg)
        time.sleep(every)
