"""No message ends a worker, whatever it holds; what is refused is in the dead letters, and nothing else is."""

import base64
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
import pytest
import redis
from celery import Celery
from integration.tasks.installation import Installation, wait_until
from support import malformed, services
from support.malformed import QUEUES, Case
from support.nodes import RabbitMQ
from support.scale import Scale

from tierkeeper.base import callers
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load
from tierkeeper.values.parking import StuckFilter, StuckKind
from tierkeeper_client.contract import TaskName
from tierkeeper_client.mac import KeyRing
from tierkeeper_client.settings import shared_settings
from tierkeeper_client.signing import sign_messages

KEYS = "k1:" + base64.b64encode(b"k" * 32).decode()
BETWEEN_CANARIES = 50  # cases
PATIENCE = 10  # seconds for a canary of each queue
Send = Callable[[Case], None]


class RawProperties(amqp.Message):
    """A message with properties that are written as they are given."""

    raw = b""

    def _serialize_properties(self) -> bytes:
        return self.raw


@contextmanager
def over_redis(url: str) -> Iterator[Send]:
    """Put cases into the lists of Redis."""
    with redis.Redis(unix_socket_path=urlsplit(url).path) as broker:
        yield lambda case: broker.lpush(case.queue, case.redis()) and None


@contextmanager
def over_rabbitmq(url: str) -> Iterator[Send]:
    """Publish cases to the queues of RabbitMQ, each confirmed by the broker."""
    parts = urlsplit(url)
    with amqp.Connection(f"{parts.hostname}:{parts.port}", confirm_publish=True) as connection:
        channel = connection.channel()

        def send(case: Case) -> None:
            if case.garbage is not None:
                message: Any = RawProperties(case.body)
                message.raw = case.garbage
            else:
                message = amqp.Message(
                    case.body,
                    content_type=case.content_type,
                    content_encoding=case.content_encoding,
                    application_headers=case.headers,
                    correlation_id=case.token,
                )
            channel.basic_publish(message, routing_key=case.queue, mandatory=True, timeout=PATIENCE)

        yield send


def processes(session: int) -> dict[int, int]:
    """Return the processes of a session with their start times, from the process table."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                found[int(entry.name)] = int(fields[19])
    return found


@pytest.fixture
def place(
    request: pytest.FixtureRequest, postgres_server: Postgres, catalog_template: str, tmp_path: Path
) -> Iterator[tuple[Installation, Celery, Send]]:
    """A worker on a broker of its own, with keys or without, a producer, and a way to send anything."""
    broker, keys = request.param
    with ExitStack() as stack:
        catalog = stack.enter_context(services.fresh_database(postgres_server, template=catalog_template))
        if broker == "redis":
            url = stack.enter_context(services.embedded_valkey()).url
        else:
            node = RabbitMQ(tmp_path)
            stack.callback(node.teardown)
            wait_until(lambda: "Server startup complete" in node.logs())
            url = node.url
        env = {
            "C_FORCE_ROOT": "1",
            "TIERKEEPER_HOME": str(tmp_path / "home"),
            "TIERKEEPER_CATALOG__URL": catalog,
            "TIERKEEPER_BROKER__URL": url,
            **({"TIERKEEPER_MESSAGES__KEYS": KEYS} if keys else {}),
        }
        settings = load(environ=env)
        keeper = stack.enter_context(Keeper.open(settings))
        keeper.init(caller=callers.INIT)
        installation = Installation(settings, env, keeper)
        app = Celery(set_as_current=False)
        app.conf.update(shared_settings(url))
        if keys:
            sign_messages(app, KEYS)
        process = installation.worker("fuzzed", "-c", "2", folder=tmp_path)
        stack.callback(process.kill)
        send = stack.enter_context(over_redis(url) if broker == "redis" else over_rabbitmq(url))
        before = processes(process.pid)
        assert process.pid in before
        yield installation, app, send
        assert processes(process.pid) == before, "processes of the worker ended, or were started again"


def canaries(installation: Installation, app: Celery) -> None:
    """Send a canary through each queue; all have to come through in time."""
    [since] = installation.sql("SELECT clock_timestamp() AS at")
    for queue in QUEUES:
        app.send_task(TaskName.CANARY.value, queue=queue, ignore_result=True)
    through = "SELECT name FROM heartbeats WHERE name LIKE 'canary:%' AND at >= :since"
    began = time.monotonic()
    while len(found := installation.sql(through, since=since.at)) < len(QUEUES):
        if time.monotonic() - began > PATIENCE * float(os.environ.get("TIERKEEPER_TEST_PATIENCE") or 1):
            pytest.fail(f"canaries of these queues alone came through: {found}")
        time.sleep(0.05)


@pytest.mark.row("F12", "malformed messages")
@pytest.mark.row("F13", "dead letters")
@pytest.mark.parametrize(
    "place",
    [("redis", False), ("redis", True), ("rabbitmq", False), ("rabbitmq", True)],
    ids=["redis", "redis-keys", "rabbitmq", "rabbitmq-keys"],
    indirect=True,
)
def test_no_message_ends_a_worker(
    place: tuple[Installation, Celery, Send], scale: Scale, chance: random.Random, request: pytest.FixtureRequest
) -> None:
    """Cases over envelope, headers, properties and body: the refused ones are dead letters, and canaries come through.

    With keys some of the cases are signed by a good key, and all others are refused whatever they hold.
    """
    installation, app, send = place
    keys = KeyRing.parse(KEYS) if "keys" in request.node.name else None
    refused: dict[str, str] = {}
    made = malformed.cases(chance, scale(short=60, long=520), amqp="rabbitmq" in request.node.name)
    for number, case in enumerate(made, start=1):
        signed = keys is not None and chance.random() < 0.7
        send(case.signed(keys) if signed and keys is not None else case)
        if case.refused or (keys is not None and not signed):
            refused[case.token] = case.what
        if number % BETWEEN_CANARIES == 0:
            canaries(installation, app)
    canaries(installation, app)

    count = "SELECT coalesce(sum(attempts), 0) AS n FROM deliveries WHERE kind = 'malformed'"
    letters: list[bytes] = []

    def all_there() -> bool:
        return bool(installation.sql(count)[0].n >= len(refused))

    try:
        wait_until(all_there, seconds=PATIENCE)
    finally:
        stuck = installation.keeper.parked.select(StuckFilter(kind=StuckKind.MALFORMED))
        letters = [installation.keeper.parked.raw(item.id) for item in stuck]
        lost = {what for token, what in refused.items() if not any(token.encode() in raw for raw in letters)}
        anonymous = {"body empty", "body number"}
        assert lost <= anonymous, f"not in the dead letters: {lost - anonymous}"
    assert installation.sql(count)[0].n == len(refused)
    assert len(letters) == len(refused)
    assert all(not raw or any(token.encode() in raw for token in refused) for raw in letters)
