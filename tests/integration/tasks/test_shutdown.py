"""A worker that is asked to end in the middle of its work: how soon, and what it leaves."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from tierkeeper.base.states import RunKind, RunState
from tierkeeper.values.artifacts import Filter
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import StoreArgs, TaskName

NAMES: dict[str, Any] = {"tenant": "acme", "workflow": "sweep"}
ITEMS = 300


@pytest.fixture
def starting(installation: Installation, tmp_path: Path) -> Iterator[Callable[..., LocalProcess]]:
    """Starts workers whose sweeps go in small batches, and could go on for a long time."""
    env = {**installation.env, "TIERKEEPER_ENGINE__BATCH": "5", "TIERKEEPER_ENGINE__TASK_SECONDS": "600"}
    slow = Installation(installation.settings, env, installation.keeper)
    started: list[LocalProcess] = []

    def start(name: str) -> LocalProcess:
        started.append(slow.worker(name, "-c", "2", folder=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def leased(installation: Installation) -> int:
    """How many items somebody holds a lease on that has not ended."""
    with installation.keeper.engine.catalog.reading() as connection:
        query = "SELECT count(*) FROM schedule WHERE lease_until > clock_timestamp()"
        return int(connection.execute(sa.text(query)).scalar_one())


def test_a_sweep_hands_over_and_holds_nothing(
    starting: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """TERM in the middle of a sweep: the worker ends after the batch at hand, no lease stays, the next one goes on."""
    keeper = installation.keeper
    first = starting("first")
    created = datetime.now(UTC) - timedelta(days=10)
    items = [
        StoreArgs(**NAMES, name=str(number), content=client.content(b"%d" % number), created=created)
        for number in range(ITEMS)
    ]
    assert len(client.store_many(items).get()["results"]) == ITEMS
    client.send(TaskName.ROTATE)

    def done() -> int:
        return keeper.artifacts.count(Filter(tenant="acme", workflow="sweep", tier="warm"))

    wait_until(lambda: done() > 0)
    began = time.monotonic()
    first.kill("SIGTERM")
    assert first.status == "exited"
    assert time.monotonic() - began < 15  # not its task_seconds
    assert b"Traceback" not in first.logs()
    assert 0 < done() < ITEMS, "it ended before or after the sweep, not in the middle"
    assert leased(installation) == 0
    assert keeper.runs.latest(kind=RunKind.ROTATE)[0].state is RunState.RUNNING

    starting("second")  # nobody sends anything: the successor is in the queue
    wait_until(lambda: done() == ITEMS)
    wait_until(lambda: keeper.runs.latest(kind=RunKind.ROTATE)[0].state is RunState.DONE)
