"""The worker's Celery settings: the producers' (``tierkeeper_client.settings``) and what only workers and Beat need."""

import functools
from typing import Any

from beat_schedule import BEAT_SCHEDULE
from tierkeeper.embedded.services import resolve
from tierkeeper.settings.settings import Settings, load
from tierkeeper_client.contract import TaskName
from tierkeeper_client.settings import shared_settings

BEGIN_LIMIT = 300  # seconds; rotate and clean_hot only begin a run
RECONCILE_LIMIT = 7 * 86400  # seconds; it lists whole stores, and its message finds it at work when it comes again
SHARE_OF_VISIBILITY = 0.9  # a task that was killed must be over before the broker delivers its message again
SHUTDOWN_MARGIN = 10  # seconds beyond a sweep's step


@functools.cache
def messaging() -> Settings:
    """Return the settings as Beat, Flower and producers need them: with a broker, the catalog left alone.

    Loaded once; an embedded broker is started where none is named. Raises SettingInvalid, EmbeddedUnavailable.
    """
    return resolve(load(), catalog=False)


@functools.cache
def settings() -> Settings:
    """Return the settings as a worker needs them: as :func:`messaging`, and with a catalog."""
    return resolve(messaging())


def worker_settings() -> dict[str, Any]:
    """Return the configuration of the app, from the settings of this process. Raises as :func:`messaging`."""
    return celery_settings(messaging())


def celery_settings(this: Settings) -> dict[str, Any]:
    """Return the configuration that ``this`` asks for; the URLs are resolved.

    No soft time limits: an exception raised by a signal in the middle of a transaction is what the engine's
    deadlines are there to avoid.
    """
    visibility = this.broker.visibility_timeout
    shared = shared_settings(
        str(this.broker.url),
        this.results.url,
        visibility_timeout=visibility,
        result_expires=this.results.expires,
    )
    return shared | {
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_timeout": False,  # a task that was killed at its limit comes again, counted, until it is parked
        "worker_prefetch_multiplier": 1,
        "worker_consumer": "worker.consumer:Consumer",
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # their leases and fences hold without a broker
        "task_time_limit": visibility.total_seconds() * SHARE_OF_VISIBILITY,
        "task_annotations": {
            TaskName.ROTATE.value: {"time_limit": BEGIN_LIMIT},
            TaskName.CLEAN_HOT.value: {"time_limit": BEGIN_LIMIT},
            TaskName.RECONCILE.value: {"time_limit": RECONCILE_LIMIT},
        },
        "task_ignore_result": True,  # the verbs say otherwise; the record of a sweep is its run
        "task_publish_retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.5},
        "worker_soft_shutdown_timeout": this.engine.task_seconds + SHUTDOWN_MARGIN,
        "worker_enable_soft_shutdown_on_idle": True,  # messages that wait for their second try go back to Redis
        "worker_send_task_events": True,
        "worker_proc_alive_timeout": 30,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # for ever: a worker outlives every outage of its broker
        "broker_channel_error_retry": True,
        "beat_schedule": BEAT_SCHEDULE,
        "beat_scheduler": "celery.beat:Scheduler",  # crontabs need no memory, so Beat needs no file and may run twice
    }
