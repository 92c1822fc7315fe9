from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper_client.contract import TaskName, UndeleteArgs


@shared_task(bind=True, base=VerbTask, name=TaskName.UNDELETE.value, arguments=UndeleteArgs)
def undelete(self: VerbTask, arguments: UndeleteArgs) -> dict[str, Any]:
    """Make a deleted artifact live again; one result for each version concerned."""
    return {"results": keeper.current().artifacts.undelete(arguments, caller=self.caller)}
