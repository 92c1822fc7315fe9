"""A pytest plugin: fails the whole run (exit code 99) if code of the project was imported from outside the copy."""

import os
import sys
from pathlib import Path

import pytest

ELSEWHERE = 99
_OURS = ("tierkeeper", "tierkeeper_client", "models", "tasks", "worker", "beat_schedule")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look at every module that was imported."""
    tree = Path(os.environ["MUTATED_TREE"]).resolve()
    loaded = {
        name: Path(file).resolve()
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in _OURS and (file := getattr(module, "__file__", None))
    }
    outside = [f"{name} from {file}" for name, file in loaded.items() if not file.is_relative_to(tree)]
    if outside or not loaded:
        print("imported from outside the copy:", *outside, sep="\n")  # noqa: T201  what the runner shows
        session.exitstatus = ELSEWHERE
