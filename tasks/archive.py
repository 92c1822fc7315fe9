from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper_client.contract import ArchiveArgs, TaskName


@shared_task(bind=True, base=VerbTask, name=TaskName.ARCHIVE.value, arguments=ArchiveArgs)
def archive(self: VerbTask, arguments: ArchiveArgs) -> dict[str, Any]:
    """Move an artifact to the coldest tier for good; one result for each version concerned."""
    return {"results": keeper.current().artifacts.archive(arguments, caller=self.caller)}
