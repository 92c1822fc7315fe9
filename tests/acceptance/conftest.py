"""Real processes for the journeys: pytest-celery's nodes over local process groups, on real services.

A test that asks for ``deployment`` gets a fresh catalog, a broker of its own and a running worker. It changes the
settings by overriding ``extra_settings``, and the tiers by overriding ``tier_urls``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from celery import Celery
from pytest_celery import (
    CeleryTestSetup,
    CeleryTestWorker,
    RabbitMQTestBroker,
    RedisTestBackend,
    RedisTestBroker,
)
from support.callers import TESTER
from support.deployment import Deployment
from support.nodes import Valkey, Worker

from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings, load
from tierkeeper_client.client import TierkeeperClient


@pytest.fixture
def valkey(folder: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own, so that it can be killed."""
    container = Valkey(folder)
    yield container
    container.teardown()


@pytest.fixture
def celery_broker(valkey: Valkey) -> RedisTestBroker | RabbitMQTestBroker:
    """The broker's node; a test of another broker overrides it."""
    return RedisTestBroker(valkey)


@pytest.fixture
def celery_backend(valkey: Valkey) -> RedisTestBackend:
    """The result store's node."""
    return RedisTestBackend(valkey)


@pytest.fixture
def extra_settings() -> dict[str, str]:
    """Settings of the test's own, as environment variables."""
    return {}


@pytest.fixture
def tier_urls(folder: Path, s3_endpoint: str) -> dict[str, str]:
    """Hot is a folder, warm and cold are buckets of moto: copies go from a file to S3, and within S3."""
    where = f"endpoint={s3_endpoint}&region=us-east-1&connect_timeout=2s&read_timeout=4s"  # shorter than any lease here
    return {
        "TIERKEEPER_TIERS__HOT__URL": (folder / "hot").as_uri(),
        "TIERKEEPER_TIERS__WARM__URL": f"s3://warm/tiers?{where}",
        "TIERKEEPER_TIERS__COLD__URL": f"s3://cold/tiers?{where}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }


@pytest.fixture
def default_worker_env(
    celery_worker_cluster_config: Mapping[str, Mapping[str, list[str]]],
    database_url: str,
    folder: Path,
    tier_urls: dict[str, str],
    extra_settings: dict[str, str],
) -> dict[str, str]:
    """The environment of every process of ours: all of the settings, nothing of the developer's."""
    return {
        "TIERKEEPER_HOME": str(folder / "home"),
        "TIERKEEPER_CATALOG__URL": database_url,
        "TIERKEEPER_BROKER__URL": celery_worker_cluster_config["celery_broker_cluster_config"]["urls"][0],
        "TIERKEEPER_RESULTS__URL": celery_worker_cluster_config["celery_backend_cluster_config"]["urls"][0],
        **tier_urls,
        **extra_settings,
    }


@pytest.fixture
def settings(default_worker_env: dict[str, str]) -> Settings:
    """The settings as the processes load them."""
    return load(environ=default_worker_env)


@pytest.fixture
def keeper(settings: Settings) -> Iterator[Keeper]:
    """A keeper in this process, on a catalog and stores that are prepared."""
    with Keeper.open(settings) as opened:
        opened.init(caller=TESTER)
        yield opened


@pytest.fixture
def default_worker_container(folder: Path, default_worker_env: dict[str, str], keeper: Keeper) -> Worker:
    """The worker's process; it starts when everything is prepared."""
    return Worker(folder, default_worker_env)


@pytest.fixture
def celery_worker(default_worker_container: Worker, celery_setup_app: Celery) -> Iterator[CeleryTestWorker]:
    """The worker's node."""
    node = CeleryTestWorker(default_worker_container, app=celery_setup_app)
    node.ready()
    yield node
    node.teardown()


@pytest.fixture
def client(default_worker_env: dict[str, str], settings: Settings) -> Iterator[TierkeeperClient]:
    """A producer as an application has one."""
    env = default_worker_env
    urls = env["TIERKEEPER_BROKER__URL"], env["TIERKEEPER_RESULTS__URL"], settings.staging.url
    with TierkeeperClient(*urls) as opened:
        yield opened


@pytest.fixture
def deployment(
    celery_setup: CeleryTestSetup,
    settings: Settings,
    default_worker_env: dict[str, str],
    keeper: Keeper,
    client: TierkeeperClient,
    folder: Path,
) -> Deployment:
    """A running deployment."""
    return Deployment(settings=settings, env=default_worker_env, keeper=keeper, client=client, folder=folder)
