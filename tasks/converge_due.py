from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import RunArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.CONVERGE_DUE.value, arguments=RunArgs, max_retries=5)
def converge_due(self: SweepTask, arguments: RunArgs) -> dict[str, Any]:
    """Converge due artifacts for a run until none is due; when the time is up, a successor continues."""
    result = keeper.current().sweeps.converge_due(arguments.run, deadline=self.deadline())
    if result.more:
        self.send_successor({"run": str(arguments.run)})
    return self.report(result, run=arguments.run)
