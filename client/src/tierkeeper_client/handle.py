"""The handle of a sent message, by which a producer gets its result."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celery import Celery, states
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError, SerializationError, SerializerNotInstalled
from redis.exceptions import RedisError

from tierkeeper_client.contract import SENDINGS_FIELD, is_final
from tierkeeper_client.errors import ResultPending, ResultUnavailable, TaskFailed, from_answer

_FIRST_POLL = 0.02  # seconds
_LAST_POLL = 0.5
_NO_ANSWER: dict[str, Any] = {"status": states.PENDING, "result": None}


@dataclass(frozen=True, slots=True)
class Handle:
    """One message that was sent."""

    id: str
    _results: Celery | None = field(repr=False)
    _sending: str | None = field(default=None, repr=False)

    @property
    def state(self) -> str:
        """Celery's state: PENDING (not begun, or unknown), RETRY, SUCCESS (answered, maybe with an error), FAILURE.

        Raises ResultUnavailable, and TaskFailed for a result that is none.
        """
        return str(self._meta()["status"])

    def get(self, timeout: float = 60) -> dict[str, Any]:
        """Wait up to ``timeout`` seconds and return the result.

        Raises the error that the worker answered with (TaskRefused where its class is not installed here),
        ResultPending after ``timeout``, TaskFailed if the task crashed or its result is none, ResultUnavailable.
        """
        deadline = time.monotonic() + timeout
        pause = _FIRST_POLL
        while (meta := self._meta())["status"] not in states.READY_STATES:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise ResultPending(task=self.id, timeout=timeout)
            time.sleep(min(pause, remaining))
            pause = min(pause * 1.5, _LAST_POLL)
        answer = meta["result"]
        if meta["status"] != states.SUCCESS or not isinstance(answer, dict):
            raise TaskFailed(task=self.id, reason=repr(answer))
        if "error" in answer:
            raise from_answer(answer)
        return answer

    def _meta(self) -> dict[str, Any]:
        if self._results is None:
            raise ResultUnavailable(task=self.id, reason="the client has no result_url")
        try:
            # A fresh read, not a subscription: it is safe from any thread and leaves no state in the client.
            meta: dict[str, Any] = self._results.backend.get_task_meta(self.id, cache=False)
        except (SerializationError, SerializerNotInstalled) as error:  # of this result alone
            raise TaskFailed(task=self.id, reason=f"its result cannot be read: {cause_of(error)}") from error
        except (CeleryError, KombuError, RedisError, OSError) as error:
            raise ResultUnavailable(task=self.id, reason=cause_of(error)) from error
        return _NO_ANSWER if self._answers_another(meta) else meta

    def _answers_another(self, meta: Mapping[str, Any]) -> bool:
        """Return True for an answer to an earlier message with this key that an answer to this one will replace."""
        sendings = meta.get(SENDINGS_FIELD)  # None: a worker of an earlier release wrote it
        if sendings is None or self._sending is None or self._sending in sendings:
            return False
        return meta["status"] != states.SUCCESS or not is_final(meta["result"])


def cause_of(error: BaseException) -> str:
    """Return the message of the innermost cause, because Celery wraps the socket's error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).rstrip(".") or type(error).__name__
