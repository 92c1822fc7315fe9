"""Makes a Celery app sign the messages that it sends, and record when they were sent."""

import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery
from kombu import serialization

from tierkeeper_client.mac import MAC_HEADER, KeyRing

#: unix time at which a message was sent, so that a worker can measure how long it waited
SENT_HEADER: Final = "tierkeeper_sent"


def sign_messages(app: Celery, keys: KeyRing | str | None) -> None:
    """Make ``app`` sign every message that it sends from now on; without keys it only records the time of sending.

    For producers with a Celery app of their own: ``sign_messages(app, "k1:BASE64…")`` after its configuration.
    """
    ring = KeyRing.parse(keys) if isinstance(keys, str) else keys
    amqp: Any = app.amqp  # send_task_message is a cached property: a value set on the instance stays
    amqp.send_task_message = signing(amqp.send_task_message, ring)


def signing(send: Callable[..., Any], ring: KeyRing | None) -> Callable[..., Any]:
    """Wrap ``send`` (Celery's ``send_task_message``) so that it signs with the first key of ``ring``, if any."""

    def signed(producer: Any, name: str, message: Any, **options: Any) -> Any:  # noqa: ANN401  Celery's own types
        headers = {**message.headers, **(options.pop("headers", None) or {}), SENT_HEADER: time.time()}
        headers.pop(MAC_HEADER, None)  # a message that is sent again gets a new signature
        if ring is not None:
            # publishing serializes the same body in the same way: these are the bytes that are sent
            _type, encoding, body = serialization.dumps(message.body, serializer=options.get("serializer") or "json")
            headers[MAC_HEADER] = ring.sign(headers, body if isinstance(body, bytes) else body.encode(encoding))
        return send(producer, name, message, headers=headers, **options)

    return signed
