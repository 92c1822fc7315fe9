"""Has a Celery app sign what it sends, and note when it was sent."""

import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery
from kombu import serialization

from tierkeeper_client.mac import MAC_HEADER, KeyRing

#: unix time at which a message was sent, so that a worker can say how long it waited
SENT_HEADER: Final = "tierkeeper_sent"


def sign_messages(app: Celery, keys: KeyRing | str | None) -> None:
    """Have ``app``, from now on, sign every message it sends; without keys it only notes when it was sent.

    For producers with a Celery app of their own: ``sign_messages(app, "k1:BASE64…")`` after its configuration.
    """
    ring = KeyRing.parse(keys) if isinstance(keys, str) else keys
    amqp: Any = app.amqp  # its property is a cached one: what is set on the instance stays
    amqp.send_task_message = signing(amqp.send_task_message, ring)


def signing(send: Callable[..., Any], ring: KeyRing | None) -> Callable[..., Any]:
    """Return ``send`` (a ``send_task_message`` of Celery's) so that it signs with the first key of ``ring``."""

    def signed(producer: Any, name: str, message: Any, **options: Any) -> Any:  # noqa: ANN401  Celery's own types
        headers = {**message.headers, **(options.pop("headers", None) or {}), SENT_HEADER: time.time()}
        headers.pop(MAC_HEADER, None)  # a message that is sent again is signed again
        if ring is not None:
            # what the publishing does next with the same body: the very bytes that will travel
            _type, encoding, body = serialization.dumps(message.body, serializer=options.get("serializer") or "json")
            headers[MAC_HEADER] = ring.sign(headers, body if isinstance(body, bytes) else body.encode(encoding))
        return send(producer, name, message, headers=headers, **options)

    return signed
