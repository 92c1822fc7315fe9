from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.COLLECT.value)
def collect(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Delete the copies that are doomed and ripe; when the time is up, a successor continues."""
    result = keeper.current().sweeps.collect(caller=self.caller, deadline=self.deadline())
    if result.more:
        self.send_successor()
    return self.report(result)
