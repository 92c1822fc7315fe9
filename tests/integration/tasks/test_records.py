"""Records on a worker: the database copy of what is old goes by the job that Beat sends; the archived one stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from beat_schedule import BEAT_SCHEDULE
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.values.artifacts import Filter, Ref
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import TaskName

RECORD: dict[str, Any] = {"content_type": "application/json", "tags": {"kind": "record"}}


@pytest.mark.row("A4", "with an archive that is a folder")
@pytest.mark.row("W3", "hot-data cleanup")
def test_a_worker_cleans_hot_records(
    worker: LocalProcess, client: TierkeeperClient, installation: Installation
) -> None:
    """The hourly message drops the database copies of 90 days and older, says how many, and leaves the others."""
    assert TaskName.CLEAN_HOT.value in {entry["task"] for entry in BEAT_SCHEDULE.values()}
    for days in (89, 91, 92):
        created = datetime.now(UTC) - timedelta(days=days)
        told = client.store(
            b'{"days": %d}' % days, tenant="acme", workflow="w", name=f"{days}", created=created, **RECORD
        )
        assert set(told.get()["tiers"]) == {"records", "cold"}
    client.send(TaskName.CLEAN_HOT)
    keeper = installation.keeper
    wait_until(lambda: [run.state for run in keeper.runs.latest(kind=RunKind.CLEAN_HOT)] == [RunState.DONE])
    # a message that finds nothing due ends the run, while another one may still have a batch to count
    wait_until(lambda: [run.counts for run in keeper.runs.latest(kind=RunKind.CLEAN_HOT)] == [{"promoted_to_cold": 2}])
    assert keeper.artifacts.count(Filter(tenant="acme", tier="records")) == 1
    assert {name: set(keeper.artifacts.show(Ref("acme", "w", name)).tiers) for name in ("89", "91")} == {
        "89": {"records", "cold"},
        "91": {"cold"},
    }
    assert installation.read("acme", "w", "91") == b'{"days": 91}'
