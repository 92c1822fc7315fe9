from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.RECOMPUTE.value)
def recompute(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Finish what policy edits left to recompute; a successor goes on when the time is up."""
    result = keeper.current().sweeps.recompute(deadline=self.deadline())
    if result.more:
        self.again()
    return self.report(result)
