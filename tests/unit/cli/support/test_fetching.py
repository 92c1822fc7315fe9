"""`get` of many artifacts, where something ends it early."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tierkeeper.base.errors import CatalogUnavailable, NoReadableCopy
from tierkeeper.cli.support import fetching
from tierkeeper.cli.support.output import Output
from tierkeeper.cli.support.session import Session
from tierkeeper.values.artifacts import Ref


class Artifacts:
    """Artifacts that are read: the second has no copy, from the fourth on there is ``error``."""

    def __init__(self, error: BaseException) -> None:
        self.asked: list[str] = []
        self._error = error

    def write(self, ref: Ref, target: Path, *, deleted: bool) -> None:
        del deleted
        self.asked.append(ref.name)
        if len(self.asked) == 2:
            raise NoReadableCopy(ref=ref, reasons="its tier is away")
        if len(self.asked) > 3:
            raise self._error
        target.write_bytes(b"x")


@pytest.mark.parametrize("error", [CatalogUnavailable(reason="away"), KeyboardInterrupt()])
def test_what_every_artifact_would_meet_ends_the_command_once(
    error: BaseException, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that goes away, and Ctrl-C, end it after what was read is told; a tier that is away is one item's."""
    monkeypatch.setattr(fetching, "_THREADS", 1)
    artifacts = Artifacts(error)
    given = SimpleNamespace(keeper=SimpleNamespace(artifacts=artifacts), output=Output(as_json=True))
    wanted = [fetching.FileToRead(Ref("acme", "w", f"a{n}"), tmp_path / f"a{n}", 1, "00") for n in range(1000)]
    with pytest.raises(type(error)):
        fetching.fetch(cast("Session", given), wanted, tmp_path, deleted=False, force=False)
    printed = capsys.readouterr()
    assert artifacts.asked[:4] == ["a0", "a1", "a2", "a3"]
    assert len(artifacts.asked) <= fetching._BATCH
    assert [each["ref"]["name"] for each in json.loads(printed.out)] == ["a0", "a1", "a2"]
    assert "before it ended: 3 artifacts: 1 failed, 2 read" in printed.err
