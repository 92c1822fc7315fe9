"""The real command line on a real catalog, a real broker and real folders."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from integration.cli.terminal import Printed, Stored, Tierkeeper

from tierkeeper.cli.main import cli


@pytest.fixture
def tk(tmp_path: Path, database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tierkeeper]:
    """Runs `tierkeeper …` on a home of the test's own, initialized."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERKEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIERKEEPER_CATALOG__URL", database_url)
    monkeypatch.setenv("TIERKEEPER_BROKER__URL", valkey_url)
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


@pytest.fixture
def stored(tk: Tierkeeper, tmp_path: Path) -> Stored:
    """Stores a small file and returns the artifact's name on the command line."""

    def store(name: str = "a.txt", content: str = "content", *options: str) -> str:
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        done = tk("-o", "json", "store", str(file), "--tenant", "acme", "--workflow", "w", "--name", name, *options)
        assert done.code == 0, done.err
        return f"acme/w/{name}"

    return store
