"""A worker that is killed in the middle of its work loses nothing."""

import random
from datetime import timedelta

import pytest
from pytest_celery import CeleryTestSetup
from support.deployment import Deployment, wait_for

from tierkeeper_client.contract import TaskName

COUNT = 300
PROBE = 'python -P -m worker.health --node "worker@$(hostname)"'  # as compose.yaml asks it
SETTINGS = {
    "TIERKEEPER_ENGINE__LEASE": "5s",
    "TIERKEEPER_ENGINE__RENEW_EVERY": "1s",
    "TIERKEEPER_ENGINE__BATCH": "20",  # so that there is a middle
    "TIERKEEPER_ENGINE__IO_THREADS": "2",
    "TIERKEEPER_ENGINE__GRACE": "0s",
}


@pytest.mark.slow
@pytest.mark.parametrize("extra_settings", [SETTINGS])
def test_worker_killed_in_a_sweep_loses_nothing(deployment: Deployment, celery_setup: CeleryTestSetup) -> None:
    """After SIGKILL and a restart everything converges, byte for byte, and no copy too many stays."""
    random_bytes = random.Random(2).randbytes  # noqa: S311  test data, not a key
    sent = {f"part-{number:03}.bin": random_bytes(2000 + number) for number in range(COUNT)}
    answer = deployment.store_many(sent, age=timedelta(days=10))
    assert len(answer["results"]) == COUNT
    assert deployment.count(tier="hot") == COUNT

    deployment.client.send(TaskName.ROTATE)
    wait_for(lambda: deployment.count(tier="warm") > 0, timeout=30, what="the first batch", every=0.005)
    worker = celery_setup.worker
    worker.kill()
    moved = deployment.count(tier="warm")
    assert 0 < moved < COUNT, "the sweep was over before the kill"

    exit_code, words = worker.container.process.exec_run(PROBE)
    assert exit_code == 1, words
    assert b"does not answer" in words

    worker.restart()
    deployment.sweep_until(
        lambda: deployment.count(tier="warm") == COUNT and deployment.count(tier="hot") == 0,
        what="all of them to be in warm",
    )
    exit_code, words = worker.container.process.exec_run(PROBE)
    assert exit_code == 0, words
    for name, content in sent.items():
        assert deployment.read(name) == content
    deployment.sweep_until(
        lambda: not deployment.objects("hot") and len(deployment.objects("warm")) == COUNT,
        what="what the killed worker left to be collected",
    )
