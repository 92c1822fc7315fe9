"""Messages that kill, hang or break their worker process: parked after a few attempts, never in the others' way."""

import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from tierkeeper.base.callers import Caller
from tierkeeper.base.states import RunKind
from tierkeeper.values.artifacts import Ref
from tierkeeper.values.parking import StuckFilter, StuckKind
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import TaskName
from tierkeeper_client.errors import TaskFailed, TierkeeperError
from tierkeeper_client.handle import Handle

NAMES: dict[str, Any] = {"tenant": "poison", "workflow": "weekly"}
APP = {"app": "integration.tasks.poisoned"}
TWICE = {"TIERKEEPER_ENGINE__ATTEMPTS": "2"}  # sooner: every death takes seconds


@pytest.mark.row("F12", "parked, never blocking the rest")
def test_what_kills_its_worker_is_parked(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """A store that kills its process every time ends parked and answered; others are stored meanwhile, in no time."""
    process = start("deadly", "-c", "2", "-Q", "ingest", **APP)
    client.store(b"warm up", **NAMES, name="first").get()
    poison = client.store(b"poison", **NAMES, name="segfault", key="deadly")
    slowest = 0.0
    for number in range(20):
        began = time.monotonic()
        client.store(b"%d" % number, **NAMES, name=f"good-{number}").get()
        slowest = max(slowest, time.monotonic() - began)
    with pytest.raises(TierkeeperError, match="5 attempts that ended in silence") as parked:
        poison.get()
    assert parked.value.code == "Parked"
    assert slowest < 5
    assert process.status == "running"
    (row,) = installation.sql("SELECT * FROM deliveries WHERE key = 'deadly'")
    assert (row.task, row.tenant, row.name, row.attempts) == ("tierkeeper.store", "poison", "segfault", 6)
    assert not installation.sql("SELECT FROM deliveries WHERE name LIKE 'good%'")  # what ends well at once has no row


def test_what_hangs_is_parked(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """A store that never ends is killed at its time limit, comes again, and ends parked; others are stored."""
    start("hanging", "-c", "2", "-Q", "ingest", **APP, **TWICE, TEST_TIME_LIMIT="3")
    client.store(b"poison", **NAMES, name="hang", key="hanging")
    assert client.store(b"beside", **NAMES, name="beside").get()["outcome"] == "stored"
    wait_until(lambda: "hanging" in parked(installation))


def test_what_is_killed_once_is_done(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """A store whose worker is killed once is done by the second delivery, and nothing is counted any more."""
    start("unlucky", "-c", "1", "-Q", "ingest", **APP)
    assert client.store(b"unlucky", **NAMES, name="again", key="unlucky").get()["outcome"] == "stored"
    wait_until(lambda: not installation.sql("SELECT FROM deliveries WHERE key = 'unlucky'"))


@pytest.mark.row("F12", "parked, never dropped")
def test_what_meets_a_defect_is_parked_and_retried(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """A defect's message is kept; when it is mended and an operator retries, the store is done as it was sent."""
    process = start("defective", "-c", "1", "-Q", "ingest", **APP)
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        client.store(b"good", **NAMES, name="defect", key="defective", correlation="request-7").get()
    assert "ZeroDivisionError: a defect" in parked(installation)["defective"]
    process.stop()
    start("mended", "-c", "1", "-Q", "ingest,maintenance")
    keeper = installation.keeper
    (result,) = keeper.parked.retry(StuckFilter(item="defective"), caller=Caller("cli:kim"))
    assert (result.outcome, result.item.what) == ("retried", "tierkeeper.store")
    client.send(TaskName.REDELIVER)
    wait_until(lambda: not installation.sql("SELECT FROM deliveries WHERE key = 'defective'"))
    assert installation.read("poison", "weekly", "defect") == b"good"
    (event,) = installation.keeper.events.select(ref=Ref("poison", "weekly", "defect"))
    assert (event.actor, event.correlation) == ("reporting", "request-7")
    told = [
        (e.type, e.actor) for e in installation.keeper.events.select(tenant="poison") if e.subject == result.item.id
    ]
    assert told == [("delivery retried", "cli:kim"), ("delivery parked", "worker")]
    assert client.store(b"good", **NAMES, name="defect", key="defective", correlation="request-7").get()["size"] == 4


def test_a_sweep_that_kills_its_worker_is_dropped(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """A sweep's message that kills its process every time is given up; Beat's next one is taken as before."""
    process = start("swept", "-c", "1", "-Q", "maintenance", **APP, **TWICE, TEST_POISONED_SWEEP="yes")
    client.send(TaskName.RECOMPUTE)
    wait_until(lambda: b"sweep given up" in process.logs())
    wait_until(lambda: not installation.sql("SELECT FROM deliveries WHERE task = 'tierkeeper.recompute'"))
    client.send(TaskName.MAINTAIN)
    wait_until(lambda: bool(installation.keeper.runs.latest(kind=RunKind.MAINTAIN)))


def test_a_key_that_no_index_holds_is_refused(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """A task id of thousands of characters is answered as bad input, not tried again for ever; a client sends none."""
    start("long", "-c", "1", "-Q", "ingest")
    key = "".join(Random(0).choices([chr(code) for code in range(0x4E00, 0x9FFF)], k=5000))  # noqa: S311  no secret
    arguments = {**NAMES, "name": "long", "content": {"kind": "inline", "data": "eA=="}}
    client._sender.send_task(str(TaskName.STORE), kwargs=arguments, task_id=key)  # what another producer sends
    with pytest.raises(TierkeeperError, match="200 characters"):
        Handle(id=key, _results=client._results).get(timeout=20)
    assert not installation.sql("SELECT FROM deliveries WHERE length(key) > 200")
    with pytest.raises(TierkeeperError, match="200 characters"):
        client.store(b"x", **NAMES, name="long", key=key)


def parked(installation: Installation) -> dict[str | None, str]:
    """The reasons of the parked deliveries, by their key."""
    return {item.key: item.reason for item in installation.keeper.parked.select(StuckFilter(kind=StuckKind.DELIVERY))}
