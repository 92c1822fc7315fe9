"""The Celery settings that producers and workers share: queues, routes, JSON only, finite time-outs.

The time-outs follow from measurements: with Celery's defaults a half-open connection to Redis is never noticed, and a
publish to a broker that accepts connections but never answers hangs for more than a minute.
"""

from datetime import timedelta
from typing import Any, Literal

import kombu

from tierkeeper_client.contract import QUEUE_OF, Queue

SOCKET_TIMEOUT = 10  # seconds without an answer until a connection counts as dead
CONNECT_TIMEOUT = 5  # seconds
HEALTH_CHECK_INTERVAL = 5  # seconds a Redis connection may be idle before it is checked prior to use
HEARTBEAT = 10  # seconds, AMQP
VISIBILITY_TIMEOUT = timedelta(hours=1)  # time without an acknowledgement after which Redis delivers a message again
RESULT_EXPIRES = timedelta(hours=1)


QueueType = Literal["classic", "quorum"]


def queues(queue_type: QueueType | None = None) -> tuple[kombu.Queue, ...]:
    """Return every queue as a plain Celery app would declare it for ``send_task(…, queue=name)``: durable, direct.

    ``queue_type`` None: RabbitMQ's own default, of the virtual host; else whoever declares them has to say the same.
    """
    arguments = None if queue_type is None else {"x-queue-type": queue_type}
    return tuple(
        kombu.Queue(str(q), kombu.Exchange(str(q), type="direct"), routing_key=str(q), queue_arguments=arguments)
        for q in Queue
    )


def is_amqp(broker_url: str) -> bool:
    """Return True if ``broker_url`` names an AMQP broker (RabbitMQ)."""
    return broker_url.split("://", 1)[0] in {"amqp", "amqps", "pyamqp"}


def shared_settings(
    broker_url: str,
    result_url: str | None = None,
    *,
    visibility_timeout: timedelta = VISIBILITY_TIMEOUT,
    result_expires: timedelta = RESULT_EXPIRES,
    socket_timeout: float = SOCKET_TIMEOUT,
    connect_timeout: float = CONNECT_TIMEOUT,
    queue_type: QueueType | None = None,
) -> dict[str, Any]:
    """Return Celery settings for ``app.conf.update(…)``; time-outs in seconds, ``result_url`` None keeps no results.

    ``broker_url`` is ``redis://``, ``rediss://``, ``redis+socket://`` or ``amqp://``; ``queue_type`` as :func:`queues`.
    """
    return {
        "broker_url": broker_url,
        "result_backend": result_url,
        "broker_connection_timeout": connect_timeout,
        "broker_transport_options": _transport_options(
            broker_url,
            visibility_timeout=visibility_timeout,
            socket_timeout=socket_timeout,
            connect_timeout=connect_timeout,
        ),
        "broker_heartbeat": HEARTBEAT if is_amqp(broker_url) else 0,
        "redis_socket_timeout": socket_timeout,
        "redis_socket_connect_timeout": connect_timeout,
        "redis_socket_keepalive": not (result_url or "").startswith("redis+socket:"),  # unix sockets have no keepalive
        "redis_backend_health_check_interval": HEALTH_CHECK_INTERVAL,
        "result_backend_transport_options": {"retry_policy": {"max_retries": 3, "interval_step": 0.5}},
        "result_expires": result_expires,
        "task_queues": queues(queue_type if is_amqp(broker_url) else None),
        "task_routes": {str(task): {"queue": str(queue)} for task, queue in QUEUE_OF.items()},
        "task_default_queue": str(Queue.MAINTENANCE),
        "task_create_missing_queues": False,  # a misspelt queue is an error, not a queue without a worker
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
        "task_send_sent_event": True,  # shows waiting tasks in Flower
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2},
        "enable_utc": True,
        "timezone": "UTC",
    }


def _transport_options(
    broker_url: str, *, visibility_timeout: timedelta, socket_timeout: float, connect_timeout: float
) -> dict[str, Any]:
    if is_amqp(broker_url):
        return {
            "confirm_publish": True,
            "read_timeout": socket_timeout,
            "write_timeout": socket_timeout,
            "connect_timeout": connect_timeout,
        }
    return {
        "visibility_timeout": int(visibility_timeout.total_seconds()),
        "socket_timeout": socket_timeout,
        "socket_connect_timeout": connect_timeout,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_INTERVAL,
    }
