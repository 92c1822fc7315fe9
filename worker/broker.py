"""The lengths of this app's queues, read over a fresh connection to the broker."""

import contextlib
from collections.abc import Sequence
from typing import Any, Final

from celery import Celery
from kombu import Connection

TIMEOUT: Final = 5  # seconds, per answer


def waiting(app: Celery, queues: Sequence[str]) -> list[str]:
    """Return the names of the queues in which messages wait. Raises kombu's errors if the broker does not answer."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=TIMEOUT)
        return [name for name in queues if length(connection, name)]


def length(connection: Connection, queue: str) -> int:
    """Return how many messages wait in a queue; 0 for one that the broker does not know."""
    try:
        channel: Any = connection.channel()
        with contextlib.closing(channel):
            return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0  # Redis keeps no empty queues
