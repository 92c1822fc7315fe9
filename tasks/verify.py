from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.VERIFY.value)
def verify(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Read a share of the copies and check their checksums; a successor goes on when the time is up."""
    result = keeper.current().verify(actor=self.actor, deadline=self.deadline())
    if result.more:
        self.again()
    return self.report(result)
