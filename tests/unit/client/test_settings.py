from celery import Celery

from tierkeeper_client.contract import QUEUE_OF, Queue
from tierkeeper_client.settings import queues, shared_settings

REDIS = "redis://broker/0"


def test_queues_are_those_a_plain_app_declares() -> None:
    """A plain Celery app that sends to a queue by name declares it exactly as the workers do."""
    plain = Celery(broker=REDIS)
    for ours in queues():
        assert plain.amqp.queues[ours.name] == ours
        assert plain.amqp.queues[ours.name].exchange == ours.exchange
    assert {ours.name for ours in queues()} == set(Queue)


def test_a_type_of_queues_is_declared_to_rabbitmq_alone() -> None:
    """Without one nothing is declared, so the broker's default holds; Redis has no types."""
    for url, kind, declared in (
        ("amqp://broker//", None, None),
        ("amqp://broker//", "quorum", {"x-queue-type": "quorum"}),
        (REDIS, "quorum", None),
    ):
        found = shared_settings(url, queue_type=kind)["task_queues"]  # type: ignore[arg-type]  # texts of the table
        assert [queue.queue_arguments for queue in found] == [declared] * len(Queue)


def test_every_task_is_routed() -> None:
    """With the shared settings the task's name decides the queue."""
    app = Celery(set_as_current=False)
    app.conf.update(shared_settings(REDIS))
    for task, queue in QUEUE_OF.items():
        assert app.amqp.router.route({}, str(task))["queue"].name == queue


def test_only_json_is_accepted() -> None:
    """Nothing that could run code is deserialised."""
    assert shared_settings(REDIS)["accept_content"] == ["json"]


def test_time_outs_are_finite() -> None:
    """A silent connection is noticed whatever the broker."""
    redis = shared_settings(REDIS)["broker_transport_options"]
    assert 0 < redis["socket_connect_timeout"] <= redis["socket_timeout"] <= 10
    assert redis["health_check_interval"] < redis["socket_timeout"]
    amqp = shared_settings("amqp://broker//")
    assert amqp["broker_heartbeat"] == 10
    assert amqp["broker_transport_options"]["confirm_publish"]
