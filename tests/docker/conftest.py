"""The image, and the stack of compose.yaml, once for all tests of a file; ``make test-docker`` gives the engine."""

import os
from collections.abc import Iterator

import pytest
from dockerengine.stack import IMAGE, Stack
from support import services


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Our image, built as a user builds it on the engine that ``python -m dockerengine run`` leaves."""
    if os.environ.get("TIERKEEPER_TEST_DOCKER") != "1":
        services.absent("Docker", "run `make test-docker`")
    Stack(tmp_path_factory.mktemp("image")).compose("build", "--quiet", "init")
    return IMAGE


@pytest.fixture(scope="module")
def stack(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole of compose.yaml, up and healthy; everything of it is removed in the end."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    try:
        running.compose("up", "--detach")
        running.settle()
        yield running
    finally:
        running.down("--volumes", "--timeout", "5")
