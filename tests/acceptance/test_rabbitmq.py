"""RabbitMQ is as good a broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_celery import RabbitMQTestBroker
from support.deployment import Deployment
from support.nodes import RabbitMQ

from acceptance import journeys


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
