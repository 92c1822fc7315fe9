"""The limit of a message: a Celery app whose task does nothing, with Celery's own consumer in the place of ours.

Its other settings are those of tierkeeper's own worker, so that the queue costs the same.
"""

from typing import Any

from celery import Celery, shared_task

from tierkeeper_client.contract import Queue
from worker.config import celery_settings, settings

TASK = "benchmark.nothing"
ROUTES = {TASK: {"queue": Queue.TRANSITION.value}}


def configuration() -> dict[str, Any]:
    """Return the worker's Celery settings, with a route for the empty task and Celery's consumer."""
    shared = celery_settings(settings())
    return {**shared, "task_routes": ROUTES, "worker_consumer": "celery.worker.consumer:Consumer"}


app: Celery = Celery("benchmark_empty", set_as_current=False)
app.add_defaults(configuration)


@shared_task(name=TASK)
def nothing() -> None:
    """Do nothing."""
