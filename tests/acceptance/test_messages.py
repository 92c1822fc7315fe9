"""What becomes of messages that come twice, or are no good."""

import base64
from typing import Any

import pytest
from celery import Celery
from pytest_celery import CeleryTestSetup
from support.deployment import ANSWER_TIMEOUT, TENANT, WORKFLOW, Deployment, one, wait_for

from tierkeeper.base.errors import (
    AlreadyThere,
    ArtifactNotFound,
    InvalidInput,
    InvalidName,
    OversizedContent,
    SourceRefused,
    UnknownTier,
)
from tierkeeper_client.errors import TierkeeperError

NAMES = {"tenant": TENANT, "workflow": WORKFLOW, "name": "kept.txt"}


def inline(content: bytes) -> dict[str, str]:
    """Return ``content`` as a message carries it."""
    return {"kind": "inline", "data": base64.b64encode(content).decode()}


def test_same_message_twice_has_the_effect_of_one(deployment: Deployment, celery_setup: CeleryTestSetup) -> None:
    """A second delivery changes nothing and is done; the same key for something else is refused and changes nothing."""
    worker = celery_setup.worker

    def over(key: str, *, times: int) -> None:
        # not by the result: the store keeps the first one of a task id
        def seen() -> bool:
            lines = [line for line in worker.logs().splitlines() if f'"task_id": "{key}"' in line]
            return sum('"event": "task ' in line for line in lines) == times

        wait_for(seen, timeout=ANSWER_TIMEOUT, what=f"{times} deliveries of {key}")

    for times in (1, 2):
        deployment.store("once.txt", b"once", force=True, key="invoice-1")
        over("invoice-1", times=times)
    assert deployment.show("once.txt").ref.version == 1

    ref = deployment.ref("once.txt")
    one(deployment.client.promote(ref, to_tier="warm", key="move-1"))
    events = list(deployment.keeper.events.select(tenant=TENANT))
    deployment.client.promote(ref, to_tier="warm", key="move-1")
    over("move-1", times=2)
    assert "error" not in worker.logs().partition("move-1")[2]
    deployment.client.promote(ref, to_tier="cold", key="move-1")
    over("move-1", times=3)
    worker.assert_log_exists("CommandConflict")
    assert list(deployment.keeper.events.select(tenant=TENANT)) == events
    assert deployment.tiers("once.txt") == {"warm"}


@pytest.mark.row("B6", "path traversal")
@pytest.mark.row("B15", "typed errors")
def test_bad_messages_are_answered_and_the_worker_goes_on(
    deployment: Deployment, celery_setup: CeleryTestSetup
) -> None:
    """Each bad message gets a typed error that says what to do; nothing changes and the worker does the next."""
    app: Celery = celery_setup.app
    deployment.store("kept.txt", b"kept")
    good = {**NAMES, "content": inline(b"x")}
    cases: list[tuple[str, dict[str, Any], type[TierkeeperError]]] = [
        # a name that would leave its place, one that no store can hold, one in another Unicode form
        ("tierkeeper.store", {**good, "name": "../../etc/passwd"}, InvalidName),
        ("tierkeeper.store", {**good, "name": 'a"b'}, InvalidName),
        ("tierkeeper.store", {**good, "tenant": "cafe\u0301"}, InvalidName),
        # arguments that are missing, unknown, of the wrong kind
        ("tierkeeper.store", {}, InvalidInput),
        ("tierkeeper.store", {**good, "sha": "x"}, InvalidInput),
        ("tierkeeper.store", {**good, "content": {"kind": "inline", "data": "***"}}, InvalidInput),
        # content: too much for a message, from a place that is not allowed
        ("tierkeeper.store", {**good, "content": inline(bytes(200_000))}, OversizedContent),
        ("tierkeeper.store", {**good, "content": {"kind": "source", "url": "file:///etc/passwd"}}, SourceRefused),
        # verbs for what is not there, or is there already
        ("tierkeeper.purge", {**NAMES, "name": "nobody.txt"}, ArtifactNotFound),
        ("tierkeeper.promote", {**NAMES, "to_tier": "hot"}, AlreadyThere),
        ("tierkeeper.promote", {**NAMES, "to_tier": "lukewarm"}, UnknownTier),
    ]
    before = deployment.show("kept.txt")
    pid = celery_setup.worker.container.process.pid
    queues = {"tierkeeper.store": "ingest"}
    for task, kwargs, error in cases:
        sent = app.send_task(task, kwargs=kwargs, queue=queues.get(task, "verbs"))
        answer = sent.get(timeout=ANSWER_TIMEOUT)
        assert answer["error"] == error.__name__, (task, kwargs, answer)
        assert answer["message"].endswith("."), answer
    app.send_task("tierkeeper.no_such_task", queue="verbs")
    assert deployment.show("kept.txt") == before
    assert deployment.count() == 1
    assert deployment.store("after.txt", b"after")["outcome"] == "stored"
    assert celery_setup.worker.container.process.pid == pid
    assert celery_setup.worker.container.status == "running"
