"""A real worker on a real broker and catalog: what it does with messages, and how it begins and ends."""

import base64
import hashlib
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from celery.beat import Scheduler
from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from beat_schedule import BEAT_SCHEDULE
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.values.artifacts import Filter, Ref
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import ACTOR_HEADER, CORRELATION_HEADER, ArtifactRef, StoreArgs, TaskName
from tierkeeper_client.errors import TaskRefused
from worker.config import celery_settings

NAMES: dict[str, Any] = {"tenant": "acme", "workflow": "weekly"}
INLINE = {"kind": "inline", "data": base64.b64encode(b"plain").decode()}
HEALTH = "python -P -m worker.health --node "


@pytest.mark.row("D8", "streaming in chunks")
def test_staged_content_is_stored(worker: LocalProcess, client: TierkeeperClient, installation: Installation) -> None:
    """A stream too large for a message arrives byte for byte."""
    content = bytes(range(256)) * 20_000
    stored = client.store(BytesIO(content), **NAMES, name="large").get()
    assert (stored["size"], stored["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert installation.read("acme", "weekly", "large") == content


@pytest.mark.row("D7", "correlation ids in logs")
def test_the_correlation_id_reaches_the_audit_log(
    worker: LocalProcess, client: TierkeeperClient, installation: Installation
) -> None:
    """The producer's correlation id and actor stand in the event and in the worker's log."""
    client.store(b"x", **NAMES, name="traced", correlation="request-8423").get()
    events = list(installation.keeper.events.select(ref=Ref("acme", "weekly", "traced")))
    assert {(event.correlation, event.actor) for event in events} == {("request-8423", "reporting")}
    assert b"request-8423" in worker.logs()


def test_a_plain_celery_app_can_send(worker: LocalProcess, installation: Installation) -> None:
    """A producer without any of our code sends by name, chooses key and headers, and reads the answer."""
    with installation.plain() as plain:
        headers = {CORRELATION_HEADER: "request-1", ACTOR_HEADER: "cron"}
        arguments = {**NAMES, "name": "plain", "content": INLINE}
        for _ in range(2):
            sent = plain.send_task(
                "tierkeeper.store", kwargs=arguments, queue="ingest", task_id="the-key", headers=headers
            )
            assert sent.get(timeout=30)["ref"]["version"] == 1
        refused = plain.send_task("tierkeeper.purge", kwargs={**NAMES, "name": "nobody"}, queue="verbs")
        assert refused.get(timeout=30)["error"] == "ArtifactNotFound"
        assert refused.state == "SUCCESS"
    assert installation.read("acme", "weekly", "plain") == b"plain"


@pytest.mark.row("A10", "batch writes")
def test_store_many_answers_for_each(
    worker: LocalProcess, client: TierkeeperClient, installation: Installation
) -> None:
    """One bad item fails alone: the others are stored, and every item has its outcome in its place."""
    content = client.content(b"item")
    items = [StoreArgs(**NAMES, name=f"item-{n}", content=content) for n in range(20)]
    items[7] = StoreArgs(**NAMES, name="item-7", content=content, sha256="0" * 64)
    results = client.store_many(items).get()["results"]
    assert [n for n, result in enumerate(results) if "error" in result] == [7]
    assert installation.keeper.artifacts.count(Filter(tenant="acme", prefix="item-")) == 19


def test_a_bad_item_refuses_no_other(
    worker: LocalProcess, client: TierkeeperClient, installation: Installation
) -> None:
    """Items that cannot be used have errors of their own; mended and sent again with the key, only they are new."""
    good = {**NAMES, "content": INLINE}
    items: list[Any] = [{**good, "name": "mixed-0"}, {**good, "name": "../mixed"}, 7, {**good, "name": "mixed-3"}]
    with installation.plain() as plain:
        sent = plain.send_task("tierkeeper.store_many", kwargs={"items": items}, queue="ingest", task_id="mixed")
        first = sent.get(timeout=30)["results"]
        assert [result.get("error", {}).get("error") for result in first] == [None, "InvalidName", "InvalidInput", None]
        assert first[1]["ref"]["name"] == "../mixed"
        items[1] = {**good, "name": "mixed-1"}
        sent.forget()
        again = plain.send_task("tierkeeper.store_many", kwargs={"items": items}, queue="ingest", task_id="mixed")
        assert ["error" in result for result in again.get(timeout=30)["results"]] == [False, False, True, False]
        wait_until(lambda: installation.keeper.artifacts.count(Filter(tenant="acme", prefix="mixed-")) == 3)
    assert installation.keeper.artifacts.show(Ref("acme", "weekly", "mixed-0")).ref.version == 1


def test_errors_come_back_typed(worker: LocalProcess, client: TierkeeperClient) -> None:
    """A handle raises what the worker answered with, by its stable code."""
    with pytest.raises(Exception, match="does not exist") as caught:
        client.archive(ArtifactRef(**NAMES, name="nobody")).get()
    assert getattr(caught.value, "code", None) == "ArtifactNotFound"
    assert not isinstance(caught.value, TaskRefused)  # its class is installed here


def test_garbage_in_well_formed_messages_is_survived(
    worker: LocalProcess, client: TierkeeperClient, installation: Installation
) -> None:
    """Unknown tasks, positional arguments and arguments of no shape are answered or dropped; the next one is done."""
    with installation.plain() as plain:
        plain.send_task("tierkeeper.no_such_task", queue="verbs")
        plain.send_task("tierkeeper.converge_due", kwargs={"run": "x"}, queue="transition", ignore_result=True)
        assert plain.send_task("tierkeeper.purge", args=[1], queue="verbs").get(timeout=30)["error"] == "InvalidInput"
        many = plain.send_task("tierkeeper.store_many", kwargs={"items": "many"}, queue="ingest")
        assert many.get(timeout=30)["error"] == "InvalidInput"
    assert client.store(b"after", **NAMES, name="after").get()["outcome"] == "stored"


def test_two_beats_change_nothing(worker: LocalProcess, client: TierkeeperClient, installation: Installation) -> None:
    """Two Beats that fire at once move everything that is due, each artifact once."""
    old = datetime.now(UTC) - timedelta(days=40)
    content = client.content(b"old")
    items = [StoreArgs(**NAMES, name=f"old-{n}", content=content, created=old, force=True) for n in range(50)]
    client.store_many(items).get()
    beats = [_beat(installation), _beat(installation)]
    for beat in beats:
        while beat.tick() == 0:  # one entry each, until none is due
            pass
    wait_until(lambda: installation.keeper.artifacts.count(Filter(prefix="old-", tier="cold")) == 50)
    wait_until(lambda: all(run.state is RunState.DONE for run in installation.keeper.runs.latest(kind=RunKind.ROTATE)))
    for number in range(50):
        events = [event.type for event in installation.keeper.events.select(ref=Ref("acme", "weekly", f"old-{number}"))]
        assert len(events) == len(set(events)), events


def test_sweeps_keep_no_results(worker: LocalProcess, client: TierkeeperClient, installation: Installation) -> None:
    """Verbs' results wait for their producer for a while; sweeps leave nothing behind."""
    sweep, verb = client.send(TaskName.MAINTAIN), client.archive(ArtifactRef(**NAMES, name="nobody"))
    wait_until(lambda: verb.state == "SUCCESS")
    wait_until(lambda: bool(installation.keeper.runs.latest(kind=RunKind.MAINTAIN)))
    with redis.Redis(unix_socket_path=urlsplit(str(installation.settings.results.url)).path) as store:
        assert 0 < int(store.ttl(f"celery-task-meta-{verb.id}")) <= 3600
        assert not store.exists(f"celery-task-meta-{sweep.id}")


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_other_pools_work(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation, pool: str
) -> None:
    """A worker without child processes has its keeper too."""
    process = start(pool, "-P", pool, "-c", "2", "-Q", "ingest")
    client.store(b"x", **NAMES, name=pool).get()
    process.kill("SIGTERM")
    assert process.status == "exited"


def test_health_is_more_than_an_answer(
    start: Callable[..., LocalProcess], client: TierkeeperClient, worker: LocalProcess
) -> None:
    """A living worker is healthy; one that stopped, or is not there, is not, and the check says why."""
    process = start("sick", "-c", "1", "-Q", "ingest")
    assert process.exec_run(HEALTH + "sick@test") == (0, b"")
    process.kill(signal.SIGSTOP)
    code, said = process.exec_run(HEALTH + "sick@test")
    assert code == 1
    assert b"sick@test does not answer" in said


def test_a_worker_ends_cleanly(start: Callable[..., LocalProcess]) -> None:
    """Asked to end, a worker ends by itself, without an error."""
    process = start("leaving", "-c", "1")
    process.kill("SIGTERM")
    assert process.status == "exited"
    assert b"Traceback" not in process.logs()


def _beat(installation: Installation) -> Scheduler:
    """A Beat whose entries are all due."""
    app = Celery(set_as_current=False)
    app.conf.update(celery_settings(installation.settings))
    beat = Scheduler(app=app)
    for entry in beat.schedule.values():
        entry.last_run_at = datetime.now(UTC) - timedelta(days=1)
    assert len(beat.schedule) >= len(BEAT_SCHEDULE)
    return beat
