"""What sending to the workers says where it ends early."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tierkeeper.base.errors import ArtifactNotFound, CatalogUnavailable
from tierkeeper.cli.support import messages, params
from tierkeeper.cli.support.output import Output
from tierkeeper.cli.support.session import Session
from tierkeeper.values.artifacts import Ref, VerbResult
from tierkeeper_client.errors import BrokerUnavailable, ResultUnavailable, TierkeeperError
from tierkeeper_client.handle import Handle


@dataclass
class Workers:
    """Workers whose broker, catalog and result store fail as they are told to; they keep what they were asked for."""

    error: BaseException | None = None
    most: int = 100
    sent: int = 0
    asked: int = 0

    def send(self) -> Handle:
        if self.sent == self.most and self.error is not None:
            raise self.error
        self.sent += 1
        return Handle(id=f"task-{self.sent}", _results=cast("Any", SimpleNamespace(backend=self)))

    def get_task_meta(self, _task: str, *, cache: bool) -> dict[str, Any]:
        """Answer as Celery's result backend."""
        del cache
        self.asked += 1
        if self.asked > 1 and self.error is not None:
            raise self.error
        return {"status": "SUCCESS", "result": {"outcome": "done"}}


def session(*, as_json: bool = False) -> Session:
    """A session that prints."""
    return cast("Session", SimpleNamespace(output=Output(as_json=as_json)))


def posts(workers: Workers, count: int) -> list[messages.Post]:
    """Messages to send."""
    return [messages.Post(Ref("acme", "w", f"a{number}"), workers.send) for number in range(count)]


@pytest.mark.parametrize("error", [BrokerUnavailable(reason="away"), KeyboardInterrupt()])
def test_what_was_sent_before_an_early_end_is_said(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """A broker that goes away and Ctrl-C end the command once, and the tasks that were sent are told."""
    workers = Workers(error, most=2)
    with pytest.raises(type(error)):
        messages.send(session(), posts(workers, 9), wait=None)
    printed = capsys.readouterr()
    assert [task in printed.out for task in ("task-1", "task-2", "task-3")] == [True, True, False]
    assert "it ended before the others were sent" in printed.err


def test_one_message_that_is_refused_stops_no_other() -> None:
    """What concerns one item is its own."""
    workers = Workers()
    given = posts(workers, 3)

    def refused() -> Handle:
        raise ArtifactNotFound(ref="x")

    given[1] = messages.Post(Ref("acme", "w", "x"), refused)
    sent = messages._send_all(session(), given)
    assert [isinstance(result, TierkeeperError) for _ref, result in sent] == [False, True, False]


def test_a_catalog_that_is_away_too_is_asked_once(capsys: pytest.CaptureFixture[str]) -> None:
    """While the broker is away verbs are written into the catalog; where that goes away, none more is tried."""
    written: list[int] = []

    def send() -> Handle:
        raise BrokerUnavailable(reason="no broker")

    def write() -> list[VerbResult]:
        written.append(1)
        if len(written) == 3:
            raise CatalogUnavailable(reason="away")
        return []

    with pytest.raises(CatalogUnavailable):
        messages.send(session(), [messages.Post(Ref("acme", "w", "a"), send, write)] * 300, wait=None)
    printed = capsys.readouterr()
    assert len(written) == 3
    assert printed.out.count("written to the catalog") == 2
    assert "The broker is away (no broker)" in printed.err


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError("reset"), ResultUnavailable), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_tasks_are_told_where_waiting_ends_early(
    error: BaseException, raised: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """Results that cannot be read end the waiting at once, as Ctrl-C does; the tasks are told in either case."""
    workers = Workers(error)
    with pytest.raises(raised):
        messages.send(session(as_json=True), posts(workers, 50), wait=params.SPAN.convert("5m", None, None))
    printed = capsys.readouterr()
    assert workers.asked == 2
    assert [each["task"] for each in json.loads(printed.out)] == [f"task-{number}" for number in range(1, 51)]
    assert messages.STILL_DONE in printed.err
