"""Workers that look alive and do nothing: they end by themselves, or are ended, and the work gets done."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from celery.worker import state
from integration.tasks.installation import Installation, wait_until
from rich.console import Console
from support.nodes import Valkey
from support.proxy import FaultProxy, in_front_of

from tierkeeper.cli.support.onlooker import Onlooker, WatchedWorker
from tierkeeper.cli.support.supervisor import Program, Supervisor
from tierkeeper.settings.settings import load
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import Queue, TaskName
from worker import watchdog
from worker.app import app
from worker.watchdog import EXIT_CODE, Observation, Patience

IDLE = Observation(taken=7, busy=False, waiting=["verbs"])
STALLED = 3  # seconds


@pytest.mark.parametrize(
    ("between", "stalled"),
    [
        (IDLE, True),
        (replace(IDLE, waiting=["ingest"]), True),  # another queue: something waits all the same
        (replace(IDLE, taken=8), False),
        (replace(IDLE, busy=True), False),
        (replace(IDLE, waiting=[]), False),
        (replace(IDLE, waiting=None), False),  # the broker does not answer either
    ],
)
def test_patience_ends_only_with_proof(between: Observation, *, stalled: bool) -> None:
    """Every look for so long must have found an idle worker, nothing taken, and something waiting."""
    patience = Patience(10)
    assert not patience.exhausted(IDLE, now=0)  # what was taken before is not known yet
    assert not patience.exhausted(IDLE, now=2)
    assert not patience.exhausted(between, now=11.9)
    assert patience.exhausted(between if between.taken != 7 else IDLE, now=12) is stalled


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultProxy]:
    """A broker of the test's own, behind a proxy."""
    valkey = Valkey(tmp_path)
    with in_front_of(("127.0.0.1", valkey.port)) as between:
        yield between
    valkey.teardown()


@pytest.fixture
def behind(installation: Installation, proxy: FaultProxy) -> Installation:
    """The installation, on that broker; workers lose their patience within seconds."""
    url = f"redis://127.0.0.1:{proxy.port}/0"
    env = {
        **installation.env,
        "TIERKEEPER_BROKER__URL": url,
        "TIERKEEPER_RESULTS__URL": url,
        "TIERKEEPER_HEALTH__STALLED": f"{STALLED}s",
    }
    return replace(installation, settings=load(environ=env), env=env)


@pytest.fixture
def supervise(behind: Installation, tmp_path: Path) -> Iterator[Callable[[], Callable[[], str]]]:
    """Runs a worker as `tierkeeper up` does; what it returns tells what was printed so far."""
    printed = io.StringIO()
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-n", "watched@test", "-c", "2"]
    environment = {**behind.env, "HOME": str(tmp_path)}
    supervisor = Supervisor([Program("worker", command, environment)], Console(file=printed, width=1000), patience=20)
    watching = Thread(target=supervisor.watch)

    def start() -> Callable[[], str]:
        supervisor.start()
        watching.start()
        wait_until(lambda: "watched@test ready" in printed.getvalue())
        return printed.getvalue

    yield start
    supervisor.stop()
    watching.join()
    supervisor.close()


def test_a_deaf_worker_ends_and_comes_back(
    supervise: Callable[[], Callable[[], str]], behind: Installation, proxy: FaultProxy
) -> None:
    """With half-open connections a worker takes nothing; it notices, ends, is started again, and the work is done."""
    said = supervise()
    with producer(behind) as client:
        assert client.store(b"heard", tenant="acme", workflow="deaf", name="before").get()
    proxy.halve()
    with producer(behind) as client:  # a new one: its connections are whole
        assert client.store(b"unheard", tenant="acme", workflow="deaf", name="after").get()
    assert f"ended with exit code {EXIT_CODE}" in said()
    assert "this worker takes nothing" in said()


def test_a_thread_that_does_not_end_ends_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else can end it; a task within its limit is waited for, and in processes Celery enforces the limit."""

    class Task:
        time_start = time.time() - 100

    monkeypatch.setattr(state, "active_requests", {Task()})
    assert watchdog.observe(app, limit=90).overdue
    assert not watchdog.observe(app, limit=200).overdue
    assert not watchdog.observe(app).overdue
    ended: list[Observation] = []
    watching = watchdog.Watchdog(lambda: watchdog.observe(app, limit=90), stalled=0.1, end=ended.append)
    watching.start()
    watching.join(10)
    assert [seen.overdue for seen in ended] == [True]


def test_a_stopped_worker_is_started_again(behind: Installation, tmp_path: Path) -> None:
    """A worker that is stopped can't end by itself; seen from outside it takes nothing and answers nobody."""
    printed = io.StringIO()
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-n", "stopped@test", "-c", "1"]
    workers = [WatchedWorker("worker", "stopped@test", tuple(Queue))]
    onlooker = Onlooker(
        behind.keeper, str(behind.settings.broker.url), workers=workers, stalled=timedelta(seconds=STALLED)
    )
    supervisor = Supervisor(
        [Program("worker", command, {**behind.env, "HOME": str(tmp_path)})],
        Console(file=printed, width=1000),
        patience=20,
        onlooker=onlooker,
        every=0.5,
    )
    watching = Thread(target=supervisor.watch)
    supervisor.start()
    watching.start()
    try:
        wait_until(lambda: "stopped@test ready" in printed.getvalue())
        with producer(behind) as client:
            client.send(TaskName.CANARY)
            wait_until(lambda: behind.keeper.health.since_last_canary() is not None)
            wait_until(lambda: children(b"stopped@test") != [])  # a slow one was ended already, and comes back
            os.kill(children(b"stopped@test")[0], signal.SIGSTOP)
            for _ in range(3):
                client.send(TaskName.CANARY)  # as Beat does; Redis still gives the first one to who was waiting
            assert client.store(b"x", tenant="acme", workflow="stopped", name="x").get()
        assert "it does not answer; it is killed" in printed.getvalue()
    finally:
        supervisor.stop()
        watching.join()
        supervisor.close()


OTHERS = tuple(queue for queue in Queue if queue is not Queue.INGEST)
TWO = [WatchedWorker("ingest", "ingest@test", (Queue.INGEST,)), WatchedWorker("worker", "worker@test", OTHERS)]


def test_the_onlooker_blames_only_with_proof(behind: Installation, proxy: FaultProxy) -> None:
    """Nothing waits: it is Beat. Something waits and its worker does not answer: it is that one. No broker: nobody."""

    def made(**stalled: float) -> Onlooker:
        return Onlooker(behind.keeper, str(behind.settings.broker.url), workers=TWO, stalled=timedelta(**stalled))

    def verdict() -> str | None:
        onlooker = made(milliseconds=1)
        time.sleep(0.01)
        found = onlooker()
        assert onlooker() is None  # what was started again just now is given its time
        return None if found is None else found.program

    assert verdict() == "beat"
    with producer(behind) as client:
        client.store(b"x", tenant="acme", workflow="waits", name="x")
    assert verdict() == "ingest"
    patient = made(seconds=0.5)
    time.sleep(0.6)
    behind.keeper.health.canary(Queue.INGEST, sent_at=None)
    assert patient() is None  # the other one is quiet, but nothing waits for it, and Beat is at work
    with producer(behind) as client:
        client.send(TaskName.CANARY)
    time.sleep(0.4)
    behind.keeper.health.canary(Queue.INGEST, sent_at=None)
    found = patient()
    assert found is not None
    assert found.program == "worker"
    for queue in Queue:
        behind.keeper.health.canary(queue, sent_at=None)
    patient = made(seconds=0.5)
    time.sleep(0.1)
    assert patient() is None
    proxy.refuse()
    assert verdict() is None


def children(word: bytes) -> list[int]:
    """The processes that this one started and whose command line, at its full width, has ``word``."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, check=True
    )
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if word in line]


def producer(behind: Installation) -> TierkeeperClient:
    """Somebody who sends through the proxy."""
    return TierkeeperClient(str(behind.settings.broker.url), behind.settings.results.url)
