from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.MAINTAIN.value)
def maintain(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Make the next partitions, clear the staging area, drop finished runs that are old."""
    return self.report(keeper.current().sweeps.maintain(caller=self.caller))
