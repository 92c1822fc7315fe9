"""A journey on pytest-celery's own containers: our image as its worker, Valkey as its Redis, PostgreSQL beside them."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from dockerengine.images import needed
from dockerengine.stack import IMAGE
from pytest_celery import (
    CeleryTestContainer,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerContainer,
    RedisContainer,
    RedisTestBackend,
    RedisTestBroker,
)
from pytest_docker_tools import container, fxtr

from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import ArtifactRef

pytestmark = pytest.mark.docker

TIMEOUT = 90  # seconds, for a container to be ready and for an answer
PASSWORD = "of-this-test"
REF = ArtifactRef(tenant="acme", workflow="reports", name="in-a-container")
CONTENT = b"stored by a worker in a container\x00\xff" * 1000
POSTGRES, VALKEY = (image for image in needed() if "python" not in image)
WORK = (
    "until tierkeeper init; do sleep 1; done; "  # PostgreSQL comes up meanwhile
    "exec celery -A worker.app worker --concurrency=2 --loglevel=INFO -n worker@%h"
)


class Postgres(CeleryTestContainer):  # type: ignore[misc]  # pytest-celery ships no types
    """The catalog's server, which pytest-celery has no class for."""

    @property
    def ready_prompt(self) -> str:
        """Its words when it serves."""
        return "database system is ready to accept connections"


valkey = container(
    image=VALKEY,
    ports=RedisContainer.ports(),
    network="{default_pytest_celery_network.name}",
    wrapper_class=RedisContainer,
    timeout=TIMEOUT,
    command=["valkey-server", *RedisContainer.command()[1:]],
)
postgres = container(
    image=POSTGRES,
    environment={"POSTGRES_USER": "tk", "POSTGRES_DB": "tk", "POSTGRES_PASSWORD": PASSWORD},
    network="{default_pytest_celery_network.name}",
    wrapper_class=Postgres,
    timeout=TIMEOUT,
)
default_worker_container = container(
    image=IMAGE,
    environment=fxtr("default_worker_env"),
    network="{default_pytest_celery_network.name}",
    wrapper_class=CeleryWorkerContainer,
    timeout=TIMEOUT,
    command=["sh", "-c", WORK],
)


@pytest.fixture
def celery_broker(valkey: RedisContainer) -> RedisTestBroker:
    """The broker's node."""
    return RedisTestBroker(valkey)


@pytest.fixture
def celery_backend(valkey: RedisContainer) -> RedisTestBackend:
    """The result store's node: the same server."""
    return RedisTestBackend(valkey)


@pytest.fixture
def default_worker_env(image: str, celery_worker_cluster_config: dict[str, Any], postgres: Postgres) -> dict[str, str]:
    """What the worker's container gets: its servers by their names in the network."""
    clusters = celery_worker_cluster_config
    return {
        "TIERKEEPER_CATALOG__URL": f"postgresql://tk:{PASSWORD}@{postgres.attrs['Config']['Hostname']}:5432/tk",
        "TIERKEEPER_BROKER__URL": clusters["celery_broker_cluster_config"]["urls"][0],
        "TIERKEEPER_RESULTS__URL": clusters["celery_backend_cluster_config"]["urls"][0],
        "TIERKEEPER_HOME": "/var/lib/tierkeeper",
    }


@pytest.fixture
def celery_worker(
    default_worker_container: CeleryWorkerContainer, celery_setup_app: Celery
) -> Iterator[CeleryTestWorker]:
    """The worker's node."""
    node = CeleryTestWorker(default_worker_container, app=celery_setup_app)
    node.ready()
    yield node
    node.teardown()


def read(worker: CeleryTestWorker) -> bytes:
    """Return the artifact's bytes, read in the worker's container."""
    command = ["tierkeeper", "get", f"{REF.tenant}/{REF.workflow}/{REF.name}", "-"]
    code, output = worker.container.exec_run(command, stderr=False)
    assert code == 0, output
    return bytes(output)


@pytest.mark.row("W7", "pytest-celery")
def test_life_in_containers(celery_setup: CeleryTestSetup, valkey: RedisContainer) -> None:
    """Stored and archived through the broker; the worker's container is killed and started: still there, restored."""
    worker = celery_setup.worker
    assert not hasattr(worker.container, "process")  # a container, none of the local processes of tests/acceptance
    broker = "redis://{}:{}/0".format(*valkey.get_addr("6379/tcp"))  # as this process reaches it
    with TierkeeperClient(broker, result_url=broker) as client:
        stored = client.store(CONTENT, tenant=REF.tenant, workflow=REF.workflow, name=REF.name).get(TIMEOUT)
        assert stored["tiers"] == ["hot"]
        assert client.archive(REF).get(TIMEOUT)["results"][0]["present"] == ["cold"]
        worker.kill()
        worker.restart()
        assert read(worker) == CONTENT
        restored = client.restore(REF, days=1).get(TIMEOUT)["results"][0]
        assert set(restored["present"]) == {"hot", "cold"}
        assert read(worker) == CONTENT
