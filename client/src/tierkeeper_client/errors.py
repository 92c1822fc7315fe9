"""The base of every error a user can meet, and the ones that bad input raises."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tierkeeper_client import texts

FINAL_FIELD = "final"  # False in an answer that the next message with its key replaces


class TierkeeperError(Exception):
    """tierkeeper could not do this."""

    # The first paragraph of a class's docstring is its message; {names} in it are filled from the keyword
    # arguments, which are attributes of the error too. Every message ends with what to do next.

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    #: every next item of a command of many would meet it too: it ends the command, once
    of_all: ClassVar[bool] = False

    def __init__(self, **data: Any) -> None:  # noqa: ANN401  each error has data of its own
        self.data = data
        for name, value in data.items():
            setattr(self, name, value)
        template = inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0].replace("\n", " ")
        super().__init__(texts.storable(template.format_map(_in_sentences(template, data))))

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors with keyword data survive pickling (Celery's process pool)."""
        return _rebuild, (type(self), self.data)

    @property
    def code(self) -> str:
        """The stable name of the error, as it stands in results, logs and the API."""
        return type(self).__name__

    def as_dict(self) -> dict[str, Any]:
        """Return code, message and data, JSON-ready."""
        return {"error": self.code, "message": str(self), **{k: texts.storable(str(v)) for k, v in self.data.items()}}


def _in_sentences(template: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data for a template, without the full stop of a text that ends a sentence: the template has one."""
    return {
        name: value[:-1]
        if isinstance(value, str) and value.endswith(".") and not value.endswith("..") and f"{{{name}}}." in template
        else value
        for name, value in data.items()
    }


def _rebuild(kind: type[TierkeeperError], data: dict[str, Any]) -> TierkeeperError:
    return kind(**data)


class InvalidInput(TierkeeperError):
    """{field} {value!r} is not usable: {problem}. {fix}"""

    exit_code = 4


class InvalidName(InvalidInput):
    """{field} {value!r} is refused: {problem}. {fix}"""


class OversizedContent(InvalidInput):
    """Inline content of {size} bytes is over the limit of {limit}. Stage it, or send a source URL, instead."""


class NoStaging(OversizedContent):
    """Content of {size} bytes is over the limit of {limit} for a message, and this client has no staging area. Give
    TierkeeperClient its staging_url=, the one that the workers have, or send a source URL instead.
    """


class BrokerUnavailable(TierkeeperError):
    """The broker did not take the message: {reason}. Check the broker URL and send it again, with the same key."""

    exit_code = 6
    retryable = True
    of_all = True


class MessageRefused(TierkeeperError):
    """The worker refused the message: {problem}. {fix}"""

    exit_code = 5


class StagingUnavailable(TierkeeperError):
    """The staging area {url} did not take the content: {reason}. Nothing was enqueued; check it and try again."""

    exit_code = 6
    retryable = True
    of_all = True


class ResultUnavailable(TierkeeperError):
    """The result of task {task} cannot be read: {reason}. The task goes on; ask again, or try `tierkeeper show`."""

    exit_code = 6
    retryable = True
    of_all = True


class ResultPending(TierkeeperError):
    """Task {task} has no result after {timeout} s. It is not lost: ask again later, or check that a worker runs."""

    exit_code = 6
    retryable = True


class TaskFailed(TierkeeperError):
    """Task {task} ended without an answer: {reason}. The worker's log says more; it may be sent again with this key."""


class TaskRefused(TierkeeperError):
    """{message}

    The answer of a worker whose error class is not installed here; :attr:`code` is its stable name.
    """

    @property
    def code(self) -> str:
        """The stable name of the error the worker answered with."""
        return str(self.data["error"])


def from_answer(answer: Mapping[str, Any]) -> TierkeeperError:
    """Return the error that ``answer`` describes, as :meth:`TierkeeperError.as_dict` wrote it, with its own message.

    Its class is the one of that name where it is installed, else :class:`TaskRefused`. ``data`` are strings.
    """
    described = {k: v for k, v in answer.items() if k != FINAL_FIELD}  # it concerns the answer, not the error
    kind = {k.__name__: k for k in _kinds(TierkeeperError)}.get(str(answer["error"]))
    if kind is None:
        return TaskRefused(**described)
    error = kind.__new__(kind)
    error.data = {k: v for k, v in described.items() if k not in {"error", "message"}}
    for name, value in error.data.items():
        setattr(error, name, value)
    Exception.__init__(error, str(answer["message"]))
    return error


def _kinds(kind: type[TierkeeperError]) -> Iterator[type[TierkeeperError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
