"""A worker that has keys: what it takes, what it refuses, and what a refusal leaves behind."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from integration.tasks.installation import Installation, wait_until
from support.processes import LocalProcess

from tierkeeper.base.errors import ArtifactNotFound
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.values.artifacts import Filter, Ref
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import ArtifactRef, TaskName
from tierkeeper_client.errors import MessageRefused
from tierkeeper_client.signing import sign_messages

NEW, OLD = (base64.b64encode(letter * 32).decode() for letter in (b"n", b"o"))
NAMES: dict[str, Any] = {"tenant": "acme", "workflow": "signed"}
SIZE = 16 * 1024 * 1024


@pytest.fixture(scope="module")
def guarded(installation: Installation) -> Installation:
    """The installation with keys: the new one signs, the old one still counts; messages up to a megabyte."""
    env = {
        **installation.env,
        "TIERKEEPER_MESSAGES__KEYS": f"new:{NEW},old:{OLD}",
        "TIERKEEPER_MESSAGES__MAX_BYTES": "1MiB",
    }
    return replace(installation, env=env)


@pytest.fixture(scope="module")
def guard(guarded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProcess]:
    """A worker with keys that serves every queue."""
    process = guarded.worker("guard", "-c", "2", folder=tmp_path_factory.mktemp("guard"))
    yield process
    process.stop()


@pytest.fixture
def producer(installation: Installation) -> Iterator[Callable[..., TierkeeperClient]]:
    """Makes producers by their keys."""
    made: list[TierkeeperClient] = []

    def make(keys: str | None) -> TierkeeperClient:
        settings = installation.settings
        made.append(TierkeeperClient(str(settings.broker.url), settings.results.url, settings.staging.url, keys=keys))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def broker(installation: Installation) -> Iterator[redis.Redis]:
    """The broker as somebody sees it who can write to it."""
    with redis.Redis(unix_socket_path=urlsplit(str(installation.settings.broker.url)).path) as connection:
        yield connection


@pytest.mark.parametrize("keys", [f"new:{NEW}", f"old:{OLD}"])
def test_what_is_signed_is_done(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation, keys: str
) -> None:
    """Messages of the client, with the new key or with the one that it replaces, are carried out."""
    name = f"done-{keys[:3]}"
    assert producer(keys).store(b"x", **NAMES, name=name).get()["ref"]["version"] == 1
    assert installation.read("acme", "signed", name) == b"x"


@pytest.mark.parametrize("keys", [None, f"new:{OLD}", f"stranger:{NEW}"])
def test_what_is_not_signed_is_refused(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation, keys: str | None
) -> None:
    """Without a key, or with a wrong one, the answer is MessageRefused, and nothing has changed."""
    with pytest.raises(MessageRefused, match=r"not signed|does not fit|not known"):
        producer(keys).store(b"x", **NAMES, name="refused").get()
    assert not installation.keeper.artifacts.count(Filter(tenant="acme", prefix="refused"))


def test_a_refused_message_can_be_sent_again_signed(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient]
) -> None:
    """The refusal reaches its own handle; sent again with the same key and a signature, the message is answered."""
    with pytest.raises(MessageRefused):
        producer(None).store(b"x", **NAMES, name="cured", key="cured").get(timeout=20)
    assert producer(f"new:{NEW}").store(b"x", **NAMES, name="cured", key="cured").get()["ref"]["version"] == 1


def test_an_app_of_its_own_can_sign(guard: LocalProcess, installation: Installation) -> None:
    """A producer's own Celery app that signs is served, one that does not is refused."""
    inline = {"kind": "inline", "data": base64.b64encode(b"own").decode()}
    with installation.plain() as plain:
        arguments = {**NAMES, "name": "own", "content": inline}
        refused = plain.send_task("tierkeeper.store", kwargs=arguments, queue="ingest")
        assert refused.get(timeout=30)["error"] == "MessageRefused"
        sign_messages(plain, f"new:{NEW}")
        done = plain.send_task("tierkeeper.store", kwargs=arguments, queue="ingest")
        assert done.get(timeout=30)["ref"]["version"] == 1


def test_a_message_that_was_changed_is_refused(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation, broker: redis.Redis
) -> None:
    """A signed message into which somebody put a callback is refused, and the callback is never sent."""
    client = producer(f"new:{NEW}")
    client.store(b"kept", **NAMES, name="kept").get()
    with elsewhere(installation) as (url, other):
        with TierkeeperClient(url, installation.settings.results.url, keys=f"new:{NEW}") as caught:
            key = caught.store(b"more", **NAMES, name="more").id
        raw: Any = other.lpop("ingest")
        message = json.loads(raw)
    arguments, kwargs, embed = json.loads(base64.b64decode(message["body"]))
    with installation.plain() as plain:
        purge = plain.signature("tierkeeper.purge", kwargs={**NAMES, "name": "kept"}, immutable=True, queue="verbs")
        embed["callbacks"] = embed["errbacks"] = [dict(purge)]
        message["body"] = base64.b64encode(json.dumps([arguments, kwargs, embed]).encode()).decode()
        broker.lpush("ingest", json.dumps(message))
        assert plain.AsyncResult(key).get(timeout=30)["error"] == "MessageRefused"
    client.archive(ArtifactRef(**NAMES, name="kept")).get()  # whatever was in the queue of the verbs came before
    assert installation.keeper.artifacts.count(Filter(tenant="acme", workflow="signed", name="kept")) == 1
    assert not installation.keeper.artifacts.count(Filter(tenant="acme", workflow="signed", name="more"))


def test_a_replayed_message_has_no_effect(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation, broker: redis.Redis
) -> None:
    """Who catches a signed message and puts it into the queue again and again gets the first one's effect."""
    with elsewhere(installation) as (url, other):
        with TierkeeperClient(url, installation.settings.results.url, keys=f"new:{NEW}") as caught:
            handle = caught.store(b"once", **NAMES, name="once", force=True)
        raw: Any = other.lpop("ingest")
    for _ in range(3):
        broker.lpush("ingest", raw)
        assert handle.get()["ref"]["version"] == 1
    producer(f"new:{NEW}").store(b"after", **NAMES, name="after").get()
    wait_until(lambda: not broker.llen("ingest"))
    assert installation.keeper.artifacts.show(Ref("acme", "signed", "once")).ref.version == 1


def test_what_a_worker_sends_is_signed(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation
) -> None:
    """A sweep and its successors, and a second try, pass the worker's own judge."""
    client = producer(f"old:{OLD}")
    created = datetime.now(UTC) - timedelta(days=10)
    client.store(b"due", **NAMES, name="due", created=created).get()
    client.send(TaskName.ROTATE)
    wait_until(lambda: installation.keeper.artifacts.count(Filter(tenant="acme", name="due", tier="warm")) == 1)
    wait_until(lambda: installation.keeper.runs.latest(kind=RunKind.ROTATE)[0].state is RunState.DONE)


@pytest.mark.parametrize("signed", [True, False])
def test_large_messages_are_refused_unread(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation, *, signed: bool
) -> None:
    """A body over the limit is answered and never parsed, whoever sent it; the worker goes on."""
    with installation.plain() as plain:
        if signed:
            sign_messages(plain, f"new:{NEW}")
        bomb = plain.send_task("tierkeeper.purge", kwargs={"tenant": "x" * SIZE}, queue="verbs", kwargsrepr="")
        answer = bomb.get(timeout=60)
    assert answer["error"] == "MessageRefused"
    assert "messages.max_bytes" in answer["message"]
    assert producer(f"new:{NEW}").store(b"x", **NAMES, name="after").get()


def test_garbage_in_headers_ends_nobody(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation, broker: redis.Redis
) -> None:
    """Headers of no shape, unknown tasks and endless ids are dropped, and the next message is done."""
    with elsewhere(installation) as (url, other):
        with TierkeeperClient(url, keys=f"new:{NEW}") as caught:
            caught.store(b"more", **NAMES, name="garbage")
        raw: Any = other.lpop("ingest")
    deep: Any = []
    for _ in range(400):
        deep = [deep]
    odd: list[dict[str, Any]] = [
        {"task": ["x"]},
        {"task": "no.such"},
        {"id": "x" * 100_000},
        {"id": {}},
        {"eta": deep},
        {"task": None},
    ]
    for changes in odd:
        message = json.loads(raw)
        message["headers"].update(changes)
        broker.lpush("ingest", json.dumps(message))
    assert producer(f"new:{NEW}").store(b"x", **NAMES, name="after").get()
    assert guard.status == "running"
    assert not installation.keeper.artifacts.count(Filter(tenant="acme", prefix="garbage"))


def test_compressed_messages_are_dropped(
    guard: LocalProcess, producer: Callable[..., TierkeeperClient], installation: Installation
) -> None:
    """What would have to be unpacked before its size is known is not unpacked; the worker goes on."""
    with installation.plain() as plain:
        plain.send_task("tierkeeper.purge", kwargs={"tenant": "x" * SIZE}, queue="verbs", compression="zlib")
    with pytest.raises(ArtifactNotFound):
        producer(f"new:{NEW}").archive(ArtifactRef(**NAMES, name="nobody")).get()
    assert b"compressed messages are refused" in guard.logs()


@contextmanager
def elsewhere(installation: Installation) -> Iterator[tuple[str, redis.Redis]]:
    """Another database of the broker's server, which no worker serves: its URL and a connection."""
    url = str(installation.settings.broker.url)
    with redis.Redis(unix_socket_path=urlsplit(url).path, db=1) as connection:
        yield f"{url.partition('?')[0]}?virtual_host=1", connection
