from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from celery.exceptions import Retry

from tasks.base import SweepTask, VerbTask
from tierkeeper import keeper
from tierkeeper.base.errors import ArtifactNotFound, CatalogUnavailable
from tierkeeper.base.metrics import REGISTRY
from tierkeeper.settings.settings import load
from tierkeeper.values.artifacts import Ref
from tierkeeper_client.contract import ACTOR_HEADER, CORRELATION_HEADER, SENDING_HEADER, ArtifactRef

GOOD = {"tenant": "acme", "workflow": "weekly", "name": "47.md"}
Body = Callable[[VerbTask, ArtifactRef], Any]


@pytest.fixture
def make() -> Callable[..., VerbTask]:
    """Makes a task of ``body`` on an app without a broker."""
    app = Celery("test", set_as_current=False)

    def made(body: Body, base: type = VerbTask) -> VerbTask:
        body.__name__ = "body"  # Celery reads the head of what it wraps, and a lambda's is unreadable
        task: VerbTask = app.task(bind=True, base=base, name=f"test.{uuid4()}", arguments=ArtifactRef)(body)
        return task

    return made


def delivered(task: VerbTask, arguments: dict[str, Any], *, args: tuple[Any, ...] = (), **request: Any) -> Any:  # noqa: ANN401  a message
    """What the task answers to a message."""
    task.push_request(id="the-id", called_directly=False, **request)
    try:
        return task(*args, **arguments)
    finally:
        task.pop_request()


def test_the_answer_is_json(make: Callable[..., VerbTask]) -> None:
    """What the keeper returns is answered as plain values."""
    task = make(lambda _self, arguments: Ref(arguments.tenant, arguments.workflow, arguments.name))
    assert delivered(task, GOOD) == {**GOOD, "version": None}


def test_the_caller_comes_from_the_headers(make: Callable[..., VerbTask]) -> None:
    """The task's id is the key; correlation and actor come from the message's headers, shortened."""
    task = make(lambda self, _arguments: self.caller)
    headers = {CORRELATION_HEADER: "request-1", ACTOR_HEADER: "x" * 5000}
    assert delivered(task, GOOD, headers=headers) == {"key": "the-id", "correlation": "request-1", "actor": "x" * 200}


def test_without_headers_the_task_correlates_with_itself(make: Callable[..., VerbTask]) -> None:
    """A plain message has its own id for correlation, and an actor that says what it was."""
    task = make(lambda self, _arguments: self.caller)
    assert delivered(task, GOOD) == {"key": "the-id", "correlation": "the-id", "actor": "producer"}


def test_a_kept_message_stays_recognisable(make: Callable[..., VerbTask]) -> None:
    """What is sent again later carries the producer's mark, by which its handle knows the answer."""
    task = make(lambda self, _arguments: dict(self.sent.headers))
    assert delivered(task, GOOD, headers={SENDING_HEADER: "one"})[SENDING_HEADER] == "one"
    assert SENDING_HEADER not in delivered(task, GOOD)


def test_a_sweep_is_beats(make: Callable[..., VerbTask]) -> None:
    """A sweep without headers was sent by Beat."""
    assert delivered(make(lambda self, _arguments: self.caller.actor, SweepTask), GOOD) == "beat"


@pytest.mark.parametrize(
    ("arguments", "args", "code"),
    [
        ({**GOOD, "tenant": "../other"}, (), "InvalidName"),
        ({**GOOD, "version": "newest"}, (), "InvalidInput"),
        ({}, (), "InvalidInput"),
        (GOOD, (1, 2), "InvalidInput"),
    ],
)
def test_bad_arguments_are_answered(
    make: Callable[..., VerbTask], arguments: dict[str, Any], args: tuple[Any, ...], code: str
) -> None:
    """A message with bad arguments gets an error for an answer, and the task's body never runs."""
    task = make(lambda _self, _arguments: pytest.fail("it ran"))
    answer = delivered(task, arguments, args=args)
    assert answer["error"] == code
    assert answer["message"]


def refuse(_self: VerbTask, arguments: ArtifactRef) -> None:
    """Raises an error that trying again does not help."""
    raise ArtifactNotFound(ref=str(arguments))


def stumble(_self: VerbTask, _arguments: ArtifactRef) -> None:
    """Raises an error that trying again may help."""
    raise CatalogUnavailable(reason="it restarts")


def test_typed_errors_are_answered(make: Callable[..., VerbTask]) -> None:
    """An error that a user can meet is an answer, with its code, message and data."""
    answer = delivered(make(refuse), GOOD)
    assert answer == {
        "error": "ArtifactNotFound",
        "message": str(ArtifactNotFound(ref="acme/weekly/47.md")),
        "ref": "acme/weekly/47.md",
        "final": False,
    }


def test_retryable_errors_are_tried_again_within_bounds(make: Callable[..., VerbTask]) -> None:
    """A verb's retryable error is tried again after seconds; while no catalog can keep the message, the broker does."""
    keeper.configure(load(environ={}, catalog={"url": "postgresql://127.0.0.1:1/nowhere"}))
    task = make(stumble)
    task.app.conf.update(broker_url="memory://", task_always_eager=True, task_eager_propagates=False)
    for retries in (*range(5), 5, 10_000):
        with pytest.raises(Retry) as caught:
            delivered(task, GOOD, retries=retries, is_eager=True, kwargs=GOOD)
        longest = min(30, 2 ** min(retries, 16))
        assert 0.5 * longest <= caught.value.when <= longest


def test_a_sweep_leaves_trying_again_to_beat(make: Callable[..., VerbTask]) -> None:
    """A sweep's retryable error is answered at once."""
    assert delivered(make(stumble, SweepTask), GOOD)["error"] == "CatalogUnavailable"


def test_defects_are_not_hidden(make: Callable[..., VerbTask]) -> None:
    """An exception that nobody foresaw fails the task."""

    def crash(_self: VerbTask, _arguments: ArtifactRef) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        delivered(make(crash), GOOD)


@pytest.mark.parametrize(("body", "outcome"), [(refuse, "refused"), (lambda *_: None, "done")])
def test_every_task_is_measured(make: Callable[..., VerbTask], body: Body, outcome: str) -> None:
    """The seconds of each task are observed with its name and outcome."""
    task = make(body)
    counted = "tierkeeper_task_seconds_count", {"outcome": outcome, "task": str(task.name)}
    before = REGISTRY.get_sample_value(*counted) or 0
    delivered(task, GOOD)
    assert REGISTRY.get_sample_value(*counted) == before + 1
