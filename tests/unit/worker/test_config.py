from pathlib import Path
from typing import Any

import pytest

from tierkeeper.settings.settings import load
from tierkeeper_client.contract import Queue, TaskName
from worker.config import celery_settings


def settings(tmp_path: Path, broker: str = "redis://broker/0", **more: Any) -> dict[str, Any]:  # noqa: ANN401  settings
    """The worker's Celery configuration for a broker."""
    return celery_settings(load(environ={}, home=tmp_path, broker={"url": broker, **more}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_acks_late", True),  # acknowledged when it is done
        ("task_reject_on_worker_lost", True),  # and delivered again when its process died
        ("worker_prefetch_multiplier", 1),  # no process hoards what others could do
        ("accept_content", ["json"]),
        ("task_ignore_result", True),
        ("broker_connection_retry_on_startup", True),
        ("broker_connection_max_retries", None),
        ("worker_send_task_events", True),  # Flower
        ("task_send_sent_event", True),
        ("task_create_missing_queues", False),
    ],
)
def test_rules_of_the_house(tmp_path: Path, name: str, value: object) -> None:
    """The settings that were learnt from failures are set."""
    assert settings(tmp_path)[name] == value


def test_all_queues_are_served(tmp_path: Path) -> None:
    """A worker that is not told otherwise serves every queue."""
    assert {queue.name for queue in settings(tmp_path)["task_queues"]} == set(Queue)


def test_tasks_end_before_their_message_comes_back(tmp_path: Path) -> None:
    """Every time limit is shorter than the visibility time-out, and a sweep's step is shorter than its limit.

    Only reconcile may take longer: it finds out that it is at work already.
    """
    conf = settings(tmp_path, visibility_timeout="10m")
    assert conf["broker_transport_options"]["visibility_timeout"] == 600
    assert 50 < conf["task_time_limit"] < 600
    longer = {name for name, limits in conf["task_annotations"].items() if limits["time_limit"] >= 600}
    assert longer == {TaskName.RECONCILE}
    assert "task_soft_time_limit" not in conf


def test_annotated_tasks_exist(tmp_path: Path) -> None:
    """A limit is never set for a task that there is not."""
    assert set(settings(tmp_path)["task_annotations"]) <= set(TaskName)


def test_an_amqp_broker_keeps_no_results(tmp_path: Path) -> None:
    """RabbitMQ is no result store; without one, nothing is kept."""
    assert settings(tmp_path, "amqp://broker//")["result_backend"] is None
