"""The consumer: checks each message's size and signature before its body is parsed.

A refused message loses its body, with callbacks and chains, and all headers but its task name, its id and the one by
which its producer recognises the answer; the task's base class answers it with ``MessageRefused``.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, Final, NoReturn

from celery.worker.consumer import Consumer
from kombu import compression

from tasks.base import REFUSED_HEADER
from tierkeeper.base import log
from tierkeeper.base.metrics import MESSAGES_REFUSED
from tierkeeper.settings.groups import MessagesSettings
from tierkeeper_client.contract import MAX_HEADER, SENDING_HEADER, TaskName
from tierkeeper_client.mac import KeyRing
from worker import config

EMPTY: Final = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'

KNOWN: Final = frozenset(task.value for task in TaskName)

_log = log.get(__name__)
_celery = logging.getLogger(__name__)  # kombu requires a logger of the standard library


class Judge:
    """Checks a message's size and, if ``messages.keys`` is set, its signature."""

    def __init__(self, settings: MessagesSettings) -> None:
        self._ring = None if settings.keys is None else KeyRing.parse(settings.keys)
        self._most = settings.max_bytes
        self._max_age = settings.max_age.total_seconds()

    @property
    def signed_only(self) -> bool:
        """True if messages have to be signed."""
        return self._ring is not None

    def problem(self, headers: dict[str, Any], body: bytes) -> str:
        """Return in words why the message is refused; an empty string if it is accepted."""
        if len(body) > self._most:
            return f"it has {len(body)} bytes, and messages.max_bytes is {self._most}"
        return "" if self._ring is None else self._ring.problem(headers, body, max_age=self._max_age)


class JudgingConsumer(Consumer):
    """Celery's consumer with a :class:`Judge` in front; it survives kombu's errors on a broken connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Celery's own
        refuse_compressed()
        self.judge = Judge(config.settings().messages)
        super().__init__(*args, **kwargs)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:  # noqa: ANN401  Celery's own
        """Return the handler of every message: it judges the message, then passes it on, defused if it was refused."""
        received = super().create_task_handler(*args, **kwargs)

        def judged(message: Any) -> Any:  # noqa: ANN401  as Celery's
            body = message.body or b""
            try:
                problem = self.judge.problem(message.headers, body.encode() if isinstance(body, str) else body)
            except Exception as error:  # noqa: BLE001  no message may end the worker, whatever it contains
                problem = f"it cannot be judged ({type(error).__name__})"
            if not problem:
                return received(message)
            name, id_ = message.headers.get("task"), message.headers.get("id")
            known = isinstance(name, str) and name in KNOWN
            MESSAGES_REFUSED.labels(task=name if known else "unknown").inc()  # senders must not choose label values
            _log.warning("message refused", task=str(name)[:MAX_HEADER], task_id=str(id_)[:MAX_HEADER], problem=problem)
            if not known or not isinstance(id_, str) or len(id_) > MAX_HEADER:
                return message.reject_log_error(_celery, self.app.connection_for_read().connection_errors)
            defuse(message, name=name, id_=id_, problem=problem)
            return received(message)

        return judged

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


def defuse(message: Any, *, name: str, id_: str, problem: str) -> None:  # noqa: ANN401  kombu's message has no stubs
    """Remove everything from a message that an unauthorized sender could have put into it."""
    sending = message.headers.get(SENDING_HEADER)
    message.body = EMPTY
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.headers = {
        "task": name,
        "id": id_,
        "root_id": id_,
        "ignore_result": bool(message.headers.get("ignore_result")),
        REFUSED_HEADER: problem,
    }
    if isinstance(sending, str) and len(sending) <= MAX_HEADER:
        message.headers[SENDING_HEADER] = sending


def refuse_compressed() -> None:
    """Make this process refuse compressed messages, because their size is unknown until they are unpacked."""
    for alias in compression.encoders():
        encoder: Any = compression.get_encoder(alias)  # (encoder, content type); the stubs say otherwise
        compression.register(encoder[0], _refuse, encoder[1], aliases=[])


def _refuse(_body: bytes) -> NoReturn:
    msg = "compressed messages are refused; send them as they are"
    raise ValueError(msg)
