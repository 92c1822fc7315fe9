from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper_client.contract import PurgeArgs, TaskName


@shared_task(bind=True, base=VerbTask, name=TaskName.PURGE.value, arguments=PurgeArgs)
def purge(self: VerbTask, arguments: PurgeArgs) -> dict[str, Any]:
    """Delete an artifact, with its undo window; one result for each version concerned."""
    return {"results": keeper.current().artifacts.purge(arguments, caller=self.caller)}
