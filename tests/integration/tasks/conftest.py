"""Workers as they are started in production, on services of the module's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.tasks.installation import Installation
from support import services
from support.processes import LocalProcess

from tierkeeper.base import callers
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load
from tierkeeper_client import TierkeeperClient


@pytest.fixture(scope="module")
def installation(
    postgres_server: Postgres, catalog_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation with nothing in it."""
    home = tmp_path_factory.mktemp("home")
    with (
        services.fresh_database(postgres_server, template=catalog_template) as catalog,
        services.embedded_valkey() as valkey,
    ):
        env = {
            "C_FORCE_ROOT": "1",
            "TIERKEEPER_HOME": str(home),
            "TIERKEEPER_CATALOG__URL": catalog,
            "TIERKEEPER_BROKER__URL": valkey.url,
            "TIERKEEPER_RESULTS__URL": valkey.url,
            "TIERKEEPER_LOG__FORMAT": "json",
        }
        settings = load(environ=env)
        with Keeper.open(settings) as keeper:
            keeper.init(caller=callers.INIT)
            yield Installation(settings, env, keeper)


@pytest.fixture
def start(installation: Installation, tmp_path: Path) -> Iterator[Callable[..., LocalProcess]]:
    """Starts workers by name, with more arguments of ``celery worker``, another app; they end with the test."""
    started: list[LocalProcess] = []

    def begin(name: str, *arguments: str, **more: str) -> LocalProcess:
        started.append(installation.worker(name, *arguments, folder=tmp_path, **more))
        return started[-1]

    yield begin
    for process in started:
        process.kill()


@pytest.fixture(scope="module")
def worker(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProcess]:
    """A worker that serves every queue."""
    process = installation.worker("one", "-c", "2", folder=tmp_path_factory.mktemp("worker"))
    yield process
    process.stop()


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[TierkeeperClient]:
    """A producer."""
    settings = installation.settings
    with TierkeeperClient(
        str(settings.broker.url), settings.results.url, settings.staging.url, actor="reporting"
    ) as client:
        yield client
