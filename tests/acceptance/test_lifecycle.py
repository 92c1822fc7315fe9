"""From the producer through the broker and a worker to PostgreSQL, a folder and S3, and back."""

import base64

import pytest
from celery import Celery
from pytest_celery import CeleryTestSetup
from support.deployment import ANSWER_TIMEOUT, TENANT, WORKFLOW, Deployment, one

from acceptance import journeys


@pytest.mark.row("W1")
@pytest.mark.row("W7", "pytest-celery")
@pytest.mark.parametrize("extra_settings", [journeys.QUICK])
def test_life_through_the_client(deployment: Deployment) -> None:
    """An application stores, promotes, archives, restores, purges and undeletes with the client."""
    journeys.whole_life(deployment)


@pytest.mark.row("W1", "store and archive by any Celery app")
@pytest.mark.row("W7", "pytest-celery")
def test_life_through_plain_send_task(deployment: Deployment, celery_setup: CeleryTestSetup) -> None:
    """An application without the client stores and archives by task name and queue, with any Celery app."""
    app: Celery = celery_setup.app
    names = {"tenant": TENANT, "workflow": WORKFLOW, "name": "plain.txt"}
    inline = {"kind": "inline", "data": base64.b64encode(b"plain").decode()}
    stored = app.send_task("tierkeeper.store", kwargs={**names, "content": inline}, queue="ingest")
    assert stored.get(timeout=ANSWER_TIMEOUT)["tiers"] == ["hot"]
    archived = app.send_task("tierkeeper.archive", kwargs=names, queue="verbs")
    assert one(archived)["present"] == ["cold"]
    assert deployment.read("plain.txt") == b"plain"
