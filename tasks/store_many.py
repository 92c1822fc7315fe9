from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper_client.contract import StoreManyArgs, TaskName


@shared_task(bind=True, base=VerbTask, name=TaskName.STORE_MANY.value, arguments=StoreManyArgs)
def store_many(self: VerbTask, arguments: StoreManyArgs) -> dict[str, Any]:
    """Store many small artifacts and answer with an outcome for each, in their order."""
    return {"results": keeper.current().store_many(arguments.items, call=self.call())}
