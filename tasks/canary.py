from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from celery import shared_task

from tasks.base import SweepTask
from tierkeeper import keeper
from tierkeeper_client.contract import Queue, SweepArgs, TaskName
from tierkeeper_client.signing import SENT_HEADER


@shared_task(bind=True, base=SweepTask, name=TaskName.CANARY.value)
def canary(self: SweepTask, _arguments: SweepArgs) -> dict[str, Any]:
    """Record that a message came through this queue; the canary of the maintenance queue checks the health as well."""
    sent_at = None
    with suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
        sent_at = datetime.fromtimestamp(float((self.request.headers or {})[SENT_HEADER]), UTC)
    queue = Queue(str((self.request.delivery_info or {}).get("routing_key")))
    health = keeper.current().health
    health.canary(queue, sent_at=sent_at)
    return {"queue": queue.value, "healthy": health.check(tiers=False).healthy if queue is Queue.MAINTENANCE else None}
