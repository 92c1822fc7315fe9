"""The consumer: has each message judged before Celery reads it; a refused one becomes a dead letter.

Celery gets nothing of a refused message: in its place the task ``tierkeeper.refuse`` is run, which keeps it and answers
its producer. The message is acknowledged when that is done; while the catalog is away, the task is retried like any
other.
"""

import base64
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NoReturn
from uuid import uuid4

from celery.worker.consumer import Consumer
from kombu import compression

from tierkeeper.base import log
from tierkeeper.base.metrics import MESSAGES_REFUSED
from tierkeeper_client.contract import DEAD_LETTER_BYTES, SENDING_HEADER, TaskName
from tierkeeper_client.identifiers import MAX_HEADER
from worker import config
from worker.judge import COMPRESSED, Judge, RefusalError, answerable, beginning

_log = log.get(__name__)
#: seconds for which events of tasks (for Flower) gather: to publish one costs as much as to acknowledge its message
EVENTS_GATHER: Final = 0.2


class JudgingConsumer(Consumer):
    """Celery's consumer with a :class:`Judge` in front; it survives kombu's errors on a broken connection."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc, valid-type]  # a variable in the stubs
        """Celery's steps but for one: it makes 28 queues for delays that messages over direct exchanges never use."""

        default_steps: ClassVar[list[str]] = [
            step for step in Consumer.Blueprint.default_steps if not str(step).endswith(":DelayedDelivery")
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Celery's own
        refuse_compressed()
        self.judge = Judge(config.settings().messages)
        super().__init__(*args, **kwargs)

    def register_with_event_loop(self, hub: Any) -> None:  # noqa: ANN401  kombu's hub has no stubs
        """Send the events of tasks from time to time; Celery cancels this with the connection, and begins it anew."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(EVENTS_GATHER, self._send_events)

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # Celery uses no result of it
        """Leave an event to :meth:`register_with_event_loop`'s next turn; Celery would wake its loop for each."""

    def shutdown(self) -> None:
        """Send the last events."""
        self._send_events()
        super().shutdown()

    def _send_events(self) -> None:
        dispatcher: Any = getattr(self, "event_dispatcher")  # noqa: B009  the stubs lack it
        if dispatcher is not None:  # the connection was made
            dispatcher.flush()

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:  # noqa: ANN401  Celery's own
        """Return the handler of every message: it judges the message, then passes it on, defused if it was refused."""
        received = super().create_task_handler(*args, **kwargs)

        def judged(message: Any) -> Any:  # noqa: ANN401  as Celery's
            try:
                headers = self.judge.judged(message, self.app.tasks)
            except RefusalError as refusal:
                return received(self._refused(message, str(refusal)))
            except Exception as error:  # noqa: BLE001  no message may end the worker, whatever it contains
                return received(self._refused(message, f"it cannot be judged ({type(error).__name__})"))
            message.headers, message.properties = headers, {"correlation_id": headers["id"]}
            return received(message)

        return judged

    def on_decode_error(self, message: Any, exc: Exception) -> None:  # noqa: ANN401  as Celery's
        """Refuse a message that kombu could not unpack, which it reports before any other handler sees it."""
        packed = isinstance(message.headers, dict) and message.headers.get("compression")
        problem = COMPRESSED if packed else f"it cannot be decoded ({type(exc).__name__})"
        super().create_task_handler()(self._refused(message, problem))

    def _refused(self, message: Any, problem: str) -> Any:  # noqa: ANN401  kombu's message has no stubs
        """Turn a message into one of the task ``tierkeeper.refuse`` about it, for the same acknowledgement."""
        headers = message.headers
        answered = answerable(headers, self.app.tasks)
        task = str(headers["task"]) if answered else "unknown"
        MESSAGES_REFUSED.labels(task=task).inc()  # senders must not choose label values
        id_ = headers["id"] if answered else str(uuid4())
        raw, size, digest = beginning(message, DEAD_LETTER_BYTES)
        queue = message.delivery_info.get("queue") or message.delivery_info.get("routing_key") or "unknown"
        _log.warning("message refused", task=task, task_id=id_, problem=problem, queue=queue, sha256=digest.hex())
        arguments = {
            "raw": base64.b64encode(raw).decode(),
            "size": size,
            "sha256": digest.hex(),
            "reason": problem,
            "broker": str(message.channel.connection.client.transport.driver_type),
            "queue": queue,
            "task": task,
        }
        as_refusal(message, id_, arguments, ignore_result=not answered or headers.get("ignore_result") is True)
        return message

    def call_soon_ack(self, p: Callable[..., None], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  Celery's own
        """Acknowledge or reject a task's message through :func:`outlived`; Celery sends all of these through here."""
        return super().call_soon_ack(outlived(p), *args, **kwargs)  # type: ignore[misc]  # not in the stubs

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Reconnect, even if closing the broken connection fails.

        Closing requeues the unacknowledged messages over a transport that kombu (5.7) has dropped just before: an
        AttributeError, which would end the worker. These messages are redelivered after the visibility time-out.
        """
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            _log.warning("a broken connection could not be closed; a new one is made", error=str(error))


def outlived(answer: Callable[..., None]) -> Callable[..., None]:
    """Wrap a message's acknowledge or reject call so that an AttributeError is logged and not raised.

    If the connection broke while the task worked, kombu (5.7) has dropped the transport: the AttributeError is in no
    list of connection errors, so it would end the worker. The message is redelivered after the visibility time-out.
    """

    @functools.wraps(answer)
    def logged(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as kombu's
        try:
            answer(*args, **kwargs)
        except AttributeError as error:
            _log.warning("a message of a broken connection could not be answered", error=str(error))

    return logged


def as_refusal(message: Any, id_: str, arguments: Mapping[str, Any], *, ignore_result: bool) -> None:  # noqa: ANN401
    """Replace everything that a sender could have put into a message by the task ``tierkeeper.refuse``.

    The header by which its producer recognises the answer stays.
    """
    sending = message.headers.get(SENDING_HEADER) if isinstance(message.headers, dict) else None
    message.body = json.dumps([[], arguments, None]).encode()
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.headers = {
        "lang": "py",
        "task": TaskName.REFUSE.value,
        "id": id_,
        "root_id": id_,
        "timelimit": [None, None],
        "ignore_result": ignore_result,
    }
    if isinstance(sending, str) and len(sending) <= MAX_HEADER:
        message.headers[SENDING_HEADER] = sending
    message.properties = {"correlation_id": id_}
    message.errors, message._decoded_cache = [], None  # noqa: SLF001  kombu's own memory of the body


def refuse_compressed() -> None:
    """Make this process refuse compressed messages, because their size is unknown until they are unpacked."""
    for alias in compression.encoders():
        encoder: Any = compression.get_encoder(alias)  # (encoder, content type); the stubs say otherwise
        compression.register(encoder[0], _refuse, encoder[1], aliases=[])


def _refuse(_body: bytes) -> NoReturn:
    raise ValueError(COMPRESSED)
