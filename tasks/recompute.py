from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.RECOMPUTE.value)
def recompute(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Finish the recomputes that policy edits left; when the time is up, a successor continues."""
    result = keeper.current().sweeps.recompute(deadline=self.deadline())
    if result.more:
        self.send_successor()
    return self.report(result)
