"""What a worker tells of its tasks while they run, to Flower and whoever else listens."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from integration.tasks.installation import Installation, wait_until

from tierkeeper_client import TierkeeperClient

TOLD = ["task-sent", "task-received", "task-started", "task-succeeded"]


@contextmanager
def listening(installation: Installation) -> Iterator[Callable[[str], list[str]]]:
    """Hear the events of workers; yields a function that returns the types of a task's, in their order."""
    heard: list[dict[str, Any]] = []
    with installation.plain() as plain, plain.connection() as connection:
        receiver = plain.events.Receiver(connection, handlers={"*": heard.append})
        thread = threading.Thread(target=receiver.capture, kwargs={"limit": None, "wakeup": False}, daemon=True)
        thread.start()
        try:
            yield lambda task: [event["type"] for event in heard if event.get("uuid") == task]
        finally:
            receiver.should_stop = True
            thread.join(10)


@pytest.mark.row("B9", "Flower")
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_events_arrive_though_their_worker_ends(
    installation: Installation, client: TierkeeperClient, tmp_path: Path, pool: str
) -> None:
    """Events gather for a moment: they come in their order, and none is lost where the worker is asked to end."""
    with listening(installation) as told:
        worker = installation.worker("telling", "--pool", pool, "-c", "2", folder=tmp_path)
        try:
            first = client.store(b"first", tenant="acme", workflow="told", name="first")
            first.get(60)
            wait_until(lambda: told(first.id) == TOLD, seconds=20)
            last = client.store(b"last", tenant="acme", workflow="told", name="last")
            last.get(60)
            worker.kill("SIGTERM")
            wait_until(lambda: told(last.id) == TOLD, seconds=20)
        finally:
            worker.kill()
