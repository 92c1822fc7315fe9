from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.DUMP.value)
def dump(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Write the catalog and its new events into the coldest tier; two tasks at once write two dumps."""
    return self.report(keeper.current().recovery.dump(caller=self.caller))
