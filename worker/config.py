"""The worker's Celery settings: the producers' (``tierkeeper_client.settings``) plus those of workers and Beat only."""

import functools
from dataclasses import asdict
from typing import Any

from beat_schedule import BEAT_SCHEDULE
from tierkeeper.embedded.services import resolve
from tierkeeper.settings.settings import Settings, load
from tierkeeper_client.contract import TaskName
from tierkeeper_client.settings import shared_settings

BEGIN_LIMIT = 300  # seconds; rotate and clean_hot only begin a run
RECONCILE_LIMIT = 7 * 86400  # seconds; it lists whole stores, and a redelivered message is a no-op while it runs
SHARE_OF_VISIBILITY = 0.9  # a task must be killed before the broker delivers its message again
SHUTDOWN_MARGIN = 10  # seconds beyond a sweep's step


@functools.cache
def messaging() -> Settings:
    """Return the settings for Beat, Flower and producers: the broker's URL is resolved, the catalog's is not.

    Loaded once; an embedded broker is started if no broker is set. Raises SettingInvalid, EmbeddedUnavailable.
    """
    return resolve(load(), catalog=False)


@functools.cache
def settings() -> Settings:
    """Return the settings for a worker: those of :func:`messaging`, with the catalog's URL resolved as well."""
    return resolve(messaging())


def worker_settings() -> dict[str, Any]:
    """Return the Celery configuration for the settings of this process. Raises as :func:`messaging`."""
    return celery_settings(messaging())


def celery_settings(this: Settings) -> dict[str, Any]:
    """Return the Celery configuration for settings whose broker URL is resolved.

    No soft time limits: they raise an exception in the middle of a transaction, which the engine's deadlines avoid.
    """
    visibility = this.broker.visibility_timeout
    shared = shared_settings(
        str(this.broker.url),
        this.results.url,
        visibility_timeout=visibility,
        result_expires=this.results.expires,
        queue_type=this.broker.queue_type,
    )
    return shared | {
        "tierkeeper_limits": asdict(this.limits.bounds),  # see `tasks/base.py`
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_timeout": False,  # a task killed at its limit is redelivered and counted, until it is parked
        "worker_prefetch_multiplier": 1,
        "worker_consumer": "worker.consumer:JudgingConsumer",
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # leases and fences hold without a broker
        "task_time_limit": visibility.total_seconds() * SHARE_OF_VISIBILITY,
        "task_annotations": {
            TaskName.ROTATE.value: {"time_limit": BEGIN_LIMIT},
            TaskName.CLEAN_HOT.value: {"time_limit": BEGIN_LIMIT},
            TaskName.RECONCILE.value: {"time_limit": RECONCILE_LIMIT},
        },
        "task_ignore_result": True,  # verbs override this; the record of a sweep is its run
        "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.5},
        "worker_soft_shutdown_timeout": this.engine.task_seconds + SHUTDOWN_MARGIN,
        "worker_enable_soft_shutdown_on_idle": True,  # messages that wait for a retry return to Redis
        "worker_send_task_events": True,
        "worker_proc_alive_timeout": 30,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # unlimited: a worker survives every outage of its broker
        "broker_channel_error_retry": True,
        "beat_schedule": BEAT_SCHEDULE,
        "beat_scheduler": "celery.beat:Scheduler",  # crontabs need no state file, so Beat may run twice
    }
