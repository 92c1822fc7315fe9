"""The dump as Beat sends it: a worker writes the catalog beside the bytes."""

from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from beat_schedule import BEAT_SCHEDULE
from tierkeeper.base.states import RunKind, RunState
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import TaskName


def test_a_worker_dumps_the_catalog(worker: LocalProcess, client: TierkeeperClient, installation: Installation) -> None:
    """The nightly message makes one complete dump, and a run that says so."""
    assert TaskName.DUMP.value in {entry["task"] for entry in BEAT_SCHEDULE.values()}
    client.send(TaskName.DUMP)
    wait_until(lambda: [r.state for r in installation.keeper.runs.latest(kind=RunKind.DUMP)] == [RunState.DONE])
    assert [view.complete for view in installation.keeper.recovery.dumps()] == [True]
