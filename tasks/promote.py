from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper_client.contract import PromoteArgs, TaskName


@shared_task(bind=True, base=VerbTask, name=TaskName.PROMOTE.value, arguments=PromoteArgs)
def promote(self: VerbTask, arguments: PromoteArgs) -> dict[str, Any]:
    """Move an artifact to a tier until its next phase; one result for each version concerned."""
    return {"results": keeper.current().artifacts.promote(arguments, caller=self.caller)}
