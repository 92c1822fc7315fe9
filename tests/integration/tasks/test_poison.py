"""Messages that kill, hang or break their worker process: parked after a few attempts, never in the others' way."""

import time
from collections.abc import Callable

import pytest
from acceptance.processes import LocalProcess
from integration.tasks.installation import Installation, wait_until

from tierkeeper_client import TierkeeperClient
from tierkeeper_client.errors import TaskFailed, TierkeeperError

NAMES = {"tenant": "poison", "workflow": "weekly"}
APP = {"app": "integration.tasks.poisoned"}


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
    assert process.logs().count(b"SIGSEGV") == 6  # the first delivery, and the five that were counted
    (row,) = installation.sql("SELECT * FROM deliveries WHERE key = 'deadly'")
    assert (row.task, row.tenant, row.name, row.attempts) == ("tierkeeper.store", "poison", "segfault", 6)
    assert row.due_at is None
