from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper_client.contract import RestoreArgs, TaskName


@shared_task(bind=True, base=VerbTask, name=TaskName.RESTORE.value, arguments=RestoreArgs)
def restore(self: VerbTask, arguments: RestoreArgs) -> dict[str, Any]:
    """Bring an artifact back to a hot tier too; one result for each version concerned."""
    return {"results": keeper.current().artifacts.restore(arguments, caller=self.caller)}
