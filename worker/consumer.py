"""The consumer: judges each message by its size and its signature before anything looks into it.

A message that is refused loses its body, and with it callbacks and chains, and everything in its headers but its name
and id; what is left is answered by the task's base class as ``MessageRefused``.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, Final, NoReturn

from celery.worker.consumer import Consumer as CeleryConsumer
from kombu import compression

from tasks.base import REFUSED_HEADER
from tierkeeper.base import log
from tierkeeper.base.metrics import MESSAGES_REFUSED
from tierkeeper.settings.groups import MessagesSettings
from tierkeeper_client.contract import MAX_HEADER, TaskName
from tierkeeper_client.mac import KeyRing
from worker import config

EMPTY: Final = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'

KNOWN: Final = frozenset(task.value for task in TaskName)

_log = log.get(__name__)
_celery = logging.getLogger(__name__)  # kombu wants one of the standard library's


class Judge:
    """Says what is wrong with a message, if anything is."""

    def __init__(self, settings: MessagesSettings) -> None:
        self._ring = None if settings.keys is None else KeyRing.parse(settings.keys)
        self._most = settings.max_bytes
        self._max_age = settings.max_age.total_seconds()

    @property
    def signed_only(self) -> bool:
        """Whether messages have to be signed."""
        return self._ring is not None

    def problem(self, headers: dict[str, Any], body: bytes) -> str:
        """Return in words why the message is refused; empty if it is not."""
        if len(body) > self._most:
            return f"it has {len(body)} bytes, and messages.max_bytes is {self._most}"
        return "" if self._ring is None else self._ring.problem(headers, body, max_age=self._max_age)


class Consumer(CeleryConsumer):
    """Celery's consumer, with a judge in front; it outlives what breaks with its connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Celery's own
        refuse_compressed()
        self.judge = Judge(config.settings().messages)
        super().__init__(*args, **kwargs)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:  # noqa: ANN401  Celery's own
        """Return what is called with every message."""
        received = super().create_task_handler(*args, **kwargs)

        def judged(message: Any) -> Any:  # noqa: ANN401  as Celery's
            body = message.body or b""
            try:
                problem = self.judge.problem(message.headers, body.encode() if isinstance(body, str) else body)
            except Exception as error:  # noqa: BLE001  whatever is in it, it must not end the worker
                problem = f"it cannot be judged ({type(error).__name__})"
            if not problem:
                return received(message)
            name, id_ = message.headers.get("task"), message.headers.get("id")
            known = isinstance(name, str) and name in KNOWN
            MESSAGES_REFUSED.labels(task=name if known else "unknown").inc()  # a label is not for anybody to choose
            _log.warning("message refused", task=str(name)[:MAX_HEADER], task_id=str(id_)[:MAX_HEADER], problem=problem)
            if not known or not isinstance(id_, str) or len(id_) > MAX_HEADER:
                return message.reject_log_error(_celery, self.app.connection_for_read().connection_errors)
            defuse(message, name=name, id_=id_, problem=problem)
            return received(message)

        return judged

    def call_soon_ack(self, p: Callable[..., None], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  Celery's own
        """Answer a message, as :func:`outlived`: every acknowledgement of a task, and every giving back, comes here."""
        return super().call_soon_ack(outlived(p), *args, **kwargs)  # type: ignore[misc]  # not in the stubs

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Begin again with a fresh connection, also where the broken one cannot even be closed.

        Closing it gives back what was taken and not acknowledged, over the transport that kombu (5.7) has dropped just
        before: an AttributeError, which ends the worker. Those messages come again after the visibility time-out.
        """
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            _log.warning("a broken connection could not be closed; a new one is made", error=str(error))


def outlived(answer: Callable[..., None]) -> Callable[..., None]:
    """Return the acknowledging or giving back of a message as what says in the log that it cannot, and ends nothing.

    Where its connection broke while its task worked, kombu (5.7) has dropped the transport: an AttributeError, which no
    list of connection errors has, and which ends the worker. The message comes again after the visibility time-out.
    """

    @functools.wraps(answer)
    def told(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as kombu's
        try:
            answer(*args, **kwargs)
        except AttributeError as error:
            _log.warning("a message of a broken connection could not be answered", error=str(error))

    return told


def defuse(message: Any, *, name: str, id_: str, problem: str) -> None:  # noqa: ANN401  kombu's message has no stubs
    """Take everything out of a message that somebody who may not could have put into it."""
    message.body = EMPTY
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.headers = {
        "task": name,
        "id": id_,
        "root_id": id_,
        "ignore_result": bool(message.headers.get("ignore_result")),
        REFUSED_HEADER: problem,
    }


def refuse_compressed() -> None:
    """Have this process refuse compressed messages: nobody knows how large they are before they are unpacked."""
    for alias in compression.encoders():
        found: Any = compression.get_encoder(alias)  # (encoder, content type); the stubs say otherwise
        compression.register(found[0], _refuse, found[1], aliases=[])


def _refuse(_body: bytes) -> NoReturn:
    msg = "compressed messages are refused; send them as they are"
    raise ValueError(msg)
