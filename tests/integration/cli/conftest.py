"""The real command line on a real catalog, a real broker and real folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.cli.terminal import Stored, Tierkeeper, terminal


@pytest.fixture
def tk(tmp_path: Path, database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tierkeeper]:
    """Runs `tierkeeper …` on a home of the test's own, initialized."""
    with terminal(tmp_path, catalog=database_url, broker=valkey_url, monkeypatch=monkeypatch) as run:
        yield run


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
