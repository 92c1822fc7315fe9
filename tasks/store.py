from typing import Any

from celery import shared_task

from tasks.base import VerbTask
from tierkeeper import keeper
from tierkeeper_client.contract import StoreArgs, TaskName


@shared_task(bind=True, base=VerbTask, name=TaskName.STORE.value, arguments=StoreArgs)
def store(self: VerbTask, arguments: StoreArgs) -> Any:  # noqa: ANN401  the base class makes it JSON
    """Store one artifact and answer with its version, hash and tiers."""
    return keeper.current().artifacts.store(arguments, caller=self.caller)
