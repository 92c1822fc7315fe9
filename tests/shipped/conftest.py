"""Fixtures of the shipped wheels: built once a session, installed once with the newest and once with the lowest."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import services
from support.ports import free_ports

from shipped import alone
from shipped.alone import Environment


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, by name."""
    return alone.build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session", params=["newest", "lowest"])
def resolution(request: pytest.FixtureRequest) -> str:
    """Which of the versions that the bounds allow are installed."""
    return str(request.param)


@pytest.fixture(scope="session")
def programs(resolution: str, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The programs of three environments: the application with its embedded services, the client, that with S3."""
    folder = tmp_path_factory.mktemp(resolution)
    application, client = wheels["tierkeeper"], wheels["tierkeeper-client"]
    contents: dict[str, tuple[list[Path], str]] = {
        "application": ([application, client], "embedded"),
        "client": ([client], ""),
        "client-s3": ([client], "s3"),
    }
    found = {}
    for name, (files, extra) in contents.items():
        found[name] = alone.venv(folder / name)
        if resolution == "newest":
            first, *others = map(str, files)
            alone.newest(found[name], [f"{first}[{extra}]" if extra else first, *others])
        else:
            alone.lowest(found[name], files, {extra} - {""})
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder outside the tree."""
    with services.short_folder() as folder:
        yield folder


@pytest.fixture
def application(programs: dict[str, Path], place: Path) -> Environment:
    """The application, in an empty folder."""
    (port,) = free_ports(1)
    return Environment(programs["application"], place, {"TIERKEEPER_FLOWER__PORT": str(port)})


@pytest.fixture
def client(programs: dict[str, Path], place: Path) -> Environment:
    """The client alone, in a folder beside the application's home."""
    folder = place / "producer"
    folder.mkdir()
    return Environment(programs["client"], folder, {})


@pytest.fixture
def client_s3(programs: dict[str, Path], place: Path) -> Environment:
    """The client with its extra for staging in S3."""
    return Environment(programs["client-s3"], place, {})
