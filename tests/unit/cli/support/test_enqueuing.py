"""What workers answer about files that were sent to them."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, cast
from uuid import uuid4

import pytest

from tierkeeper.base.callers import Caller
from tierkeeper.cli.support import enqueuing, messages
from tierkeeper.cli.support.output import Output
from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.sourcefiles import SourceFile
from tierkeeper.cli.support.storing import FileItem
from tierkeeper.settings.groups import LimitsSettings
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import ItemError, Ref, StoreResult
from tierkeeper.values.plain import plain
from tierkeeper_client.contract import InlineContent, StoreArgs
from tierkeeper_client.errors import BrokerUnavailable, ResultUnavailable
from tierkeeper_client.handle import Handle


def test_answers_are_the_outcomes_that_were_sent() -> None:
    """An outcome and an item's error are read from an answer as they were before they were written into it."""
    stored = StoreResult(Ref("acme", "w", "a", 1), uuid4(), "00" * 32, 3, ("hot",), "stored")
    failed = ItemError(Ref("acme", "w", "b"), {"error": "InvalidInput", "message": "no"})
    assert [enqueuing.result_of(plain(each)) for each in (stored, failed)] == [stored, failed]


class Client:
    """A client whose broker goes away, or whose user presses Ctrl-C, after so many messages."""

    def __init__(self, most: int, error: BaseException) -> None:
        self.sent: list[list[str]] = []
        self._most, self._error = most, error

    def content(self, file: BinaryIO) -> InlineContent:
        return InlineContent.of(file.read())

    def store_many(self, items: Sequence[StoreArgs], *, correlation: str) -> Handle:
        del correlation
        if len(self.sent) == self._most:
            raise self._error
        self.sent.append([each.name for each in items])
        return Handle(id=f"task-{len(self.sent)}", _results=None)


def items(folder: Path, names: str) -> list[FileItem]:
    """Small files, the one called ``x`` missing."""
    found = []
    for name in names:
        if name != "x":
            (folder / name).write_text(name)
        args = StoreArgs(tenant="acme", workflow="w", name=name, content=InlineContent.of(b""))
        found.append(FileItem(SourceFile(folder / name, name, 1), args))
    return found


def session(client: Client, folder: Path) -> Session:
    """A session that sends three items a message."""
    settings = Settings.model_validate({"home": folder, "limits": LimitsSettings(store_many=3)})
    given = SimpleNamespace(client=client, settings=settings, output=Output(), caller=Caller("tests"))
    return cast("Session", given)


@pytest.mark.parametrize("error", [BrokerUnavailable(reason="away"), KeyboardInterrupt()])
def test_what_was_sent_before_an_early_end_is_said(
    tmp_path: Path, error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages that were sent are told, with how far it came; no further one is tried."""
    client = Client(1, error)
    asked = session(client, tmp_path)
    with pytest.raises(type(error)):
        enqueuing.enqueue(
            asked, items(tmp_path, "axbcdefgh"), [], wait=None, send=lambda _item: Handle(id="no", _results=None)
        )
    assert client.sent == [["a", "b"]]
    printed = capsys.readouterr()
    assert "2 files sent in 1 message; 1 failed" in printed.out
    assert "the same command sends the rest" in printed.err
    assert asked.output.reached == "sending: 3 of 9 files, 3 B of 9 B"


@pytest.mark.parametrize(("results", "raised"), [(None, ResultUnavailable), (KeyboardInterrupt(), KeyboardInterrupt)])
def test_tasks_are_told_where_waiting_ends_early(
    tmp_path: Path,
    results: BaseException | None,
    raised: type[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C, or results that cannot be read, end the waiting after each task is told, with its files."""
    if results is not None:
        interruption = results

        def interrupted(_handle: Handle, timeout: float) -> None:
            del timeout
            raise interruption

        monkeypatch.setattr(Handle, "get", interrupted)
    asked = session(Client(9, BrokerUnavailable(reason="away")), tmp_path)
    with pytest.raises(raised):
        enqueuing.enqueue(
            asked,
            items(tmp_path, "abcd"),
            [],
            wait=timedelta(minutes=5),
            send=lambda _item: Handle(id="no", _results=None),
        )
    printed = capsys.readouterr()
    assert [line.split() for line in printed.out.splitlines() if "task-" in line] == [
        ["task-1", "3", "acme/w/a"],
        ["task-2", "1", "acme/w/d"],
    ]
    assert messages.STILL_DONE in printed.err


def test_nothing_is_said_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no message was sent, the error says all."""
    asked = session(Client(0, BrokerUnavailable(reason="away")), tmp_path)
    with pytest.raises(BrokerUnavailable):
        enqueuing.enqueue(
            asked, items(tmp_path, "ab"), [], wait=None, send=lambda _item: Handle(id="no", _results=None)
        )
    assert capsys.readouterr().out == ""


def test_a_message_has_room_for_what_is_beside_the_content(tmp_path: Path) -> None:
    """The arguments of as many items as a message may have are set apart; contents count as base64."""
    listed = items(tmp_path, "abc")
    asked = session(Client(0, BrokerUnavailable(reason="away")), tmp_path)
    room = enqueuing._room(asked, listed)
    beside = 3 * (len(listed[0].args.model_dump_json()) + 1024)
    assert room == asked.settings.messages.max_bytes // 2 - beside
    assert enqueuing._weight(FileItem(SourceFile(tmp_path, "a", 300), listed[0].args)) == 400
