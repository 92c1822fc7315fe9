"""The message tierkeeper.reconcile on a real worker: it is done once, however often it is delivered."""

from integration.tasks.installation import Installation, wait_until
from support.callers import TESTER
from support.processes import LocalProcess

from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import runs
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import TaskName


def test_a_worker_reconciles(worker: LocalProcess, client: TierkeeperClient, installation: Installation) -> None:
    """A worker reconciles every tier; a message that comes while one is at work leaves it to that one, and says so."""
    keeper = installation.keeper
    client.store(b"x", tenant="acme", workflow="weekly", name="a").get()
    client.send(TaskName.RECONCILE)
    wait_until(lambda: [run.state for run in keeper.runs.latest(kind=RunKind.RECONCILE)] == [RunState.DONE])
    (done,) = keeper.runs.latest(kind=RunKind.RECONCILE)
    assert (done.counts["listed"], done.errors, done.actor) == (1, 0, "reporting")
    working = keeper.engine.catalog.run(TESTER, runs.begin, RunKind.RECONCILE, actor="another")
    client.send(TaskName.RECONCILE)
    told = b'"error": "SweepAtWork"'
    wait_until(lambda: any(told in line and str(working).encode() in line for line in worker.logs().splitlines()))
    assert {run.id for run in keeper.runs.latest(kind=RunKind.RECONCILE)} == {done.id, working}
    keeper.engine.catalog.run(TESTER, runs.finish, working)
    client.send(TaskName.RECONCILE)
    wait_until(lambda: [r.state for r in keeper.runs.latest(kind=RunKind.RECONCILE)] == [RunState.DONE] * 3)
