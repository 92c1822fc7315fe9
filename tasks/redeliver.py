from contextlib import closing
from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import AGAIN_HEADER, SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.REDELIVER.value)
def redeliver(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Send again the messages that the catalog kept and that are due: a store was away, or an operator retried them."""
    sent = 0
    with closing(keeper.current().deliveries.due()) as due:
        for one in due:
            if one.task not in frozenset(TaskName):
                continue  # of another version of the code: it waits, and the others go
            self.send(TaskName(one.task), one.arguments, key=one.key, headers={**one.headers, AGAIN_HEADER: "yes"})
            sent += 1
    return {"sent": sent}
