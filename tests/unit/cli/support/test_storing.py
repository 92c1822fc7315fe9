"""What `store` of many files does and says where whole batches fail, and while a large file is on its way."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogUnavailable, InvalidInput
from tierkeeper.cli.support import storing, transfers
from tierkeeper.cli.support.output import Output
from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.sourcefiles import LeftOut, SourceFile
from tierkeeper.cli.support.storing import FileItem
from tierkeeper.values.artifacts import ContentOpening, Ref, StoreResult
from tierkeeper_client.contract import InlineContent, StoreArgs
from tierkeeper_client.digest import digest_of
from tierkeeper_client.errors import TierkeeperError


def item(name: str, size: int = 1, path: Path = Path("nowhere")) -> FileItem:
    """A file to store."""
    args = StoreArgs(tenant="acme", workflow="w", name=name, content=InlineContent.of(b""))
    return FileItem(SourceFile(path, name, size), args)


class Artifacts:
    """Stores whose batches fail as a whole, each by the name of its item; it keeps what it was asked for."""

    def __init__(self, failures: Mapping[str, TierkeeperError]) -> None:
        self.asked: list[str] = []
        self._failures, self._second = failures, Event()

    def store_many(
        self, items: Sequence[StoreArgs], *, caller: Caller, contents: Mapping[int, ContentOpening]
    ) -> list[StoreResult]:
        del caller
        name = items[0].name
        self.asked.append(name)
        if name == "b":
            self._second.set()
        self._second.wait(5)  # the first batch fails while the second one is at work
        if name in self._failures:
            raise self._failures[name]
        for opening in contents.values():
            if items[0].name == "large":
                with opening() as file:
                    digest_of(file)
                    file.seek(0)
                    file.read(transfers.LARGE)
        return [StoreResult(Ref("acme", "w", name, 1), uuid4(), "00" * 32, 1, ("hot",), "stored")]


def session(artifacts: Artifacts) -> Session:
    """A session whose keeper has these artifacts."""
    keeper = SimpleNamespace(artifacts=artifacts)
    return cast("Session", SimpleNamespace(keeper=keeper, output=Output(as_json=True), caller=Caller("tests")))


def ended_early(artifacts: Artifacts, names: str, monkeypatch: pytest.MonkeyPatch) -> TierkeeperError:
    """Store files, each in a batch of its own; return the error that ended it."""
    monkeypatch.setattr(storing, "ITEMS", 1)
    with pytest.raises(TierkeeperError) as caught:
        storing.store_here(session(artifacts), [item(name) for name in names], [])
    return caught.value


@pytest.mark.parametrize(
    "error", [CatalogUnavailable(reason="away"), InvalidInput(field="f", value=1, problem="p", fix="f")]
)
def test_what_was_stored_beside_the_first_failure_is_said(
    error: TierkeeperError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first batch's failure ends the command, and the second one, which was at work, is told."""
    artifacts = Artifacts({"a": error})
    assert ended_early(artifacts, "abcd", monkeypatch) is error
    assert "before it ended: 1 file: 1 stored" in capsys.readouterr().err
    assert sorted(artifacts.asked) == ["a", "b"]


def test_a_catalog_that_goes_away_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A later failure that the next batches would meet too ends the command; another one is that of its items."""
    away = CatalogUnavailable(reason="away")
    artifacts = Artifacts({"b": InvalidInput(field="f", value=1, problem="p", fix="f"), "c": away})
    assert ended_early(artifacts, "abcdefgh", monkeypatch) is away
    printed = capsys.readouterr()
    assert "3 files: 1 failed, 2 stored" in printed.err
    assert [each["ref"]["name"] for each in json.loads(printed.out)] == ["a", "b", "d"]
    assert sorted(artifacts.asked) == ["a", "b", "c", "d"]


def test_a_path_stays_on_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Tabs and ends of lines in the name of a file that is left out are told as what they are."""
    storing.print_left_out(session(Artifacts({})), [LeftOut("in/a\tb\nc", "it is bad", "a\tb\nc")])
    (row,) = capsys.readouterr().out.splitlines()[2:]
    assert row.split() == [r"in/a\tb\nc", "it", "is", "bad"]


def test_bytes_of_a_large_file_are_told_before_its_batch_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count as they are written, and all of them once it is done."""
    size = transfers.LARGE + 1
    (tmp_path / "large").write_bytes(bytes(size))
    reached: list[Any] = []
    added = transfers._Transfer.add  # each count

    def adding(transfer: Any, items: int, length: int) -> None:  # noqa: ANN401  what is private there
        reached.append((items, length))
        added(transfer, items, length)

    monkeypatch.setattr(transfers._Transfer, "add", adding)
    artifacts = Artifacts({})
    artifacts._second.set()  # it is alone
    storing.store_here(session(artifacts), [item("large", size, tmp_path / "large")], [])
    assert reached == [(0, transfers.LARGE), (1, 1)]
