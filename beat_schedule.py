"""Beat's schedule: data only.

Crontabs, never intervals of hours, which a Beat that restarts often would starve. Messages do not expire: a host whose
clock is ahead would expire all of them, and a hundred late ones cost less than a second, because the due work is in the
catalog. Two Beats at once, or none for a day, do no harm.
"""

from typing import Any

from celery.schedules import crontab

from tierkeeper_client.contract import Queue, TaskName

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "rotate": {"task": TaskName.ROTATE.value, "schedule": crontab()},
    "collect": {"task": TaskName.COLLECT.value, "schedule": crontab()},
    "clean hot": {"task": TaskName.CLEAN_HOT.value, "schedule": crontab(minute="7")},
    "redeliver": {"task": TaskName.REDELIVER.value, "schedule": crontab()},
    "recompute": {"task": TaskName.RECOMPUTE.value, "schedule": crontab(minute="*/5")},
    "maintain": {"task": TaskName.MAINTAIN.value, "schedule": crontab(minute="23")},
    "verify": {"task": TaskName.VERIFY.value, "schedule": crontab(minute="41", hour="3")},
    "dump": {"task": TaskName.DUMP.value, "schedule": crontab(minute="53", hour="4")},
    "reconcile": {"task": TaskName.RECONCILE.value, "schedule": crontab(minute="17", hour="2")},
} | {
    # one through each queue, so that health sees a queue that no worker serves
    f"canary {queue.value}": {
        "task": TaskName.CANARY.value,
        "schedule": crontab(),
        "options": {"queue": queue.value},
    }
    for queue in Queue
}
