"""RabbitMQ is as good a broker."""

from collections.abc import Iterator
from pathlib import Path

import kombu
import pytest
from celery import Celery
from pytest_celery import RabbitMQTestBroker, RedisTestBackend
from support.callers import TESTER
from support.deployment import ANSWER_TIMEOUT, Deployment
from support.nodes import RabbitMQ, Worker

from acceptance import journeys
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import Queue
from tierkeeper_client.settings import QueueType, queues

START = 60  # seconds for a worker to begin
VERB = {"tenant": "acme", "workflow": "x", "name": "nobody"}


@pytest.fixture
def celery_broker(folder: Path) -> Iterator[RabbitMQTestBroker]:
    """A RabbitMQ of the test's own; results stay in Valkey."""
    node = RabbitMQTestBroker(RabbitMQ(folder))
    node.ready()
    yield node
    node.teardown()


@pytest.mark.row("W6", "RabbitMQ")
@pytest.mark.slow
@pytest.mark.parametrize("extra_settings", [journeys.QUICK])
def test_life_over_rabbitmq(deployment: Deployment) -> None:
    """The whole life of an artifact, with RabbitMQ as the broker."""
    assert str(deployment.settings.broker.url).startswith("amqp://")
    journeys.whole_life(deployment)


def declared_before(url: str) -> None:
    """The queues as the release before made them: declared without a type."""
    with kombu.Connection(url) as connection:
        for name in Queue:
            kombu.Queue(name.value, kombu.Exchange(name.value, type="direct"), name.value)(connection).declare()


def declared_by_nobody(_url: str) -> None:
    """No queue: the plain producer is the first."""


@pytest.mark.row("W6", "RabbitMQ")
@pytest.mark.slow
@pytest.mark.parametrize("default", ["classic", "quorum"])
def test_queues_of_every_kind(
    default: QueueType,
    celery_broker: RabbitMQTestBroker,
    celery_backend: RedisTestBackend,
    default_worker_env: dict[str, str],
    folder: Path,
) -> None:
    """On virtual hosts of both defaults: a plain producer first, queues that were there, and a declared type.

    A worker takes messages of each; its retries and successors come through as well.
    """
    broker: RabbitMQ = celery_broker.container
    others: QueueType = "classic" if default == "quorum" else "quorum"
    for name, before, kind in (
        ("plain", declared_by_nobody, None),
        ("before", declared_before, None),
        ("typed", declared_by_nobody, others),
    ):
        url = broker.vhost(name, queue_type=default)
        before(url)
        results = default_worker_env["TIERKEEPER_RESULTS__URL"]
        plain = Celery(broker=url, backend=results, set_as_current=False)
        if kind is not None:
            plain.conf.task_queues = queues(kind)
        sent = plain.send_task("tierkeeper.archive", kwargs=VERB, queue="verbs")
        env = {**default_worker_env, "TIERKEEPER_BROKER__URL": url}
        if kind is not None:
            env["TIERKEEPER_BROKER__QUEUE_TYPE"] = kind
        settings = load(environ=env)
        with Keeper.open(settings) as keeper:
            keeper.init(caller=TESTER)
        worker = Worker(folder, env, name=f"{name}-worker")
        try:
            assert sent.get(timeout=START + ANSWER_TIMEOUT)["error"] == "ArtifactNotFound", name
            with TierkeeperClient(url, results, queue_type=kind) as client:
                assert client.store(b"x", tenant="acme", workflow="x", name=name).get(timeout=ANSWER_TIMEOUT)["ref"]
            assert broker.queue_types(name) == dict.fromkeys(Queue, kind or default)
            assert "NOT_IMPLEMENTED" not in worker.logs()
        finally:
            worker.teardown()
