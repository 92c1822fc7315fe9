from contextlib import closing
from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import AGAIN_HEADER, SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.REDELIVER.value)
def redeliver(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Send the kept messages that are due again: their store was away, or an operator retried them."""
    sent = 0
    with closing(keeper.current().deliveries.due()) as due:
        for kept in due:
            if kept.task not in frozenset(TaskName):
                continue  # a task of another version of the code: it waits
            self.send(TaskName(kept.task), kept.arguments, key=kept.key, headers={**kept.headers, AGAIN_HEADER: "yes"})
            sent += 1
    return {"sent": sent}
