"""A verb for many artifacts, where something ends it early."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import pytest

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import ArtifactNotFound, CatalogUnavailable
from tierkeeper.base.states import ArtifactState, Outcome
from tierkeeper.cli.support import bulk
from tierkeeper.cli.support.output import Output
from tierkeeper.cli.support.params import VerbOptions
from tierkeeper.cli.support.session import Session
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import Ref, VerbResult
from tierkeeper_client.contract import ArchiveArgs, TaskName

ARCHIVE = bulk.Verb("archive", TaskName.ARCHIVE, ArchiveArgs, "archiving")
HOW = VerbOptions(version=None, reason=None, dry_run=False, enqueue=False, wait=None)


class Artifacts:
    """Artifacts that are asked for a verb: the second is missing, from the fourth on there is ``error``."""

    def __init__(self, error: BaseException) -> None:
        self.asked: list[str] = []
        self._error = error

    def archive(self, args: ArchiveArgs, *, caller: Caller, dry_run: bool) -> list[VerbResult]:
        del caller, dry_run
        self.asked.append(args.name)
        if len(self.asked) == 2:
            raise ArtifactNotFound(ref=args.name)
        if len(self.asked) > 3:
            raise self._error
        cold = ("cold",)
        return [VerbResult(Ref("acme", "w", args.name, 1), uuid4(), Outcome.DONE, ArtifactState.LIVE, cold, cold, "")]


@pytest.mark.parametrize("error", [CatalogUnavailable(reason="away"), KeyboardInterrupt()])
def test_what_every_artifact_would_meet_ends_the_command_once(
    error: BaseException, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A catalog that goes away, and Ctrl-C, end it after what was done is told; a missing artifact is its own error."""
    artifacts = Artifacts(error)
    given = SimpleNamespace(
        keeper=SimpleNamespace(artifacts=artifacts),
        output=Output(as_json=True),
        caller=Caller("tests"),
        settings=Settings.model_validate({"home": tmp_path}),
    )
    targets = [bulk.Target(Ref("acme", "w", f"a{number}")) for number in range(300)]
    with pytest.raises(type(error)):
        bulk.carry_out(cast("Session", given), ARCHIVE, targets, HOW)
    printed = capsys.readouterr()
    assert artifacts.asked == ["a0", "a1", "a2", "a3"]
    assert [each["ref"]["name"] for each in json.loads(printed.out)] == ["a0", "a1", "a2"]
    assert "it ended before the others were asked" in printed.err
