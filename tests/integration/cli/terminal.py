"""What the tests of the command line share."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tierkeeper.cli.main import cli


@dataclass(frozen=True, slots=True)
class Printed:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever was printed
        return json.loads(self.out)


Tierkeeper = Callable[..., Printed]
Stored = Callable[..., str]


@contextmanager
def terminal(folder: Path, *, catalog: str, broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tierkeeper]:
    """Runs `tierkeeper …` in a folder that is its own, on a home there that is initialized."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TIERKEEPER_HOME", str(folder / "home"))
    monkeypatch.setenv("TIERKEEPER_CATALOG__URL", catalog)
    monkeypatch.setenv("TIERKEEPER_BROKER__URL", broker)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def run(*arguments: str, stdin: str | bytes = "") -> Printed:
        result = CliRunner().invoke(cli, arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Printed(result.exit_code, result.stdout, result.stderr)

    assert run("init").code == 0
    yield run
    root.handlers[:] = handlers  # they wrote to the runner's streams, which are closed
    root.setLevel(level)
    logging.captureWarnings(capture=False)
