"""The app's outgoing messages: signed if ``messages.keys`` is set, with the time at which they were sent."""

from collections.abc import Callable
from typing import Any

from celery.app.amqp import AMQP
from kombu.utils.objects import cached_property

from tierkeeper_client.mac import KeyRing
from tierkeeper_client.signing import signing
from worker import config
from worker.transports import GuardedConnection


class Messages(AMQP):
    """Celery's AMQP with a signature on every message (those of Beat, successors, retries), and guarded transports."""

    Connection = GuardedConnection

    @cached_property
    def send_task_message(self) -> Callable[..., Any]:
        """Return the function that publishes a task's message."""
        keys = config.messaging().messages.keys
        publish: Callable[..., Any] = getattr(self, "_create_task_sender")()  # noqa: B009  the stubs lack it
        return signing(publish, None if keys is None else KeyRing.parse(keys))
