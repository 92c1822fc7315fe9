from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.CLEAN_HOT.value)
def clean_hot(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Begin a run over the artifacts that are due in database tiers only, and send its tasks."""
    return self.begin(databases_only=True)
