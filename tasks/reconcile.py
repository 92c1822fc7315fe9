from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.RECONCILE.value)
def reconcile(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Compare the catalog and the stores both ways; SweepAtWork if another reconcile is at work."""
    sweeps = keeper.current().sweeps
    sweeps.require_no_reconcile()
    result = sweeps.reconcile(caller=self.caller)
    return {"run": result.run, "state": result.state, "counts": dict(result.counts), "errors": result.errors}
