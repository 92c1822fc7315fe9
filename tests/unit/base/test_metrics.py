"""What a process counts of itself."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from tierkeeper.base.metrics import COPIES_FAILED, REGISTRY

FORKED = """
import os
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from tierkeeper.base.metrics import COPIES_FAILED, HEALTH, TASK_SECONDS

def count():
    COPIES_FAILED.labels(tier="warm", error="StoreDenied").inc(2)
    TASK_SECONDS.labels(task="store", outcome="done").observe(0.5)

count()
HEALTH.labels(vital="overdue", unit="s").set(7)
if (child := os.fork()) == 0:
    count()
    HEALTH.labels(vital="overdue", unit="s").set(3)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
count()
together = CollectorRegistry()
MultiProcessCollector(together)
labels = {"task": "store", "outcome": "done"}
print(
    together.get_sample_value("tierkeeper_copies_failed_total", {"tier": "warm", "error": "StoreDenied"}),
    together.get_sample_value("tierkeeper_task_seconds_count", labels),
    together.get_sample_value("tierkeeper_task_seconds_sum", labels),
    together.get_sample_value("tierkeeper_health", {"vital": "overdue", "unit": "s"}),
)
"""


def test_threads_count_together() -> None:
    """What several threads count at the same time adds up."""
    labels = {"tier": "counted", "error": "Several"}

    def count() -> None:
        for _ in range(1000):
            COPIES_FAILED.labels(**labels).inc()

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert REGISTRY.get_sample_value("tierkeeper_copies_failed_total", labels) == 4000


def test_forked_processes_add_up(tmp_path: Path) -> None:
    """With a folder for it, a worker's processes count into files of their own, and nothing is counted twice."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    copies, tasks, seconds, overdue = map(float, done.stdout.split())
    assert (copies, tasks, overdue) == (6, 3, 3)
    assert seconds == pytest.approx(1.5)
