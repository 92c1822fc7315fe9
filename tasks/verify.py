import time
from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import SweepArgs, TaskName


@shared_task(bind=True, base=SweepTask, name=TaskName.VERIFY.value)
def verify(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Read a share of the copies and check their checksums, until the time is up; the next task continues."""
    this = keeper.current()
    longest = this.settings.broker.visibility_timeout.total_seconds() / 2
    share = this.settings.verify.share
    return self.report(this.sweeps.verify(share=share, caller=self.caller, deadline=time.monotonic() + longest))
