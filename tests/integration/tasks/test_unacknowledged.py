"""What Redis holds of messages that were never acknowledged: each returns, whatever lies between them."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from kombu.utils.json import loads
from support import malformed, services

from tierkeeper.embedded.valkey import Valkey
from worker.judge import UNREADABLE_HEADER
from worker.transports import GuardedConnection

GOOD: dict[str, Any] = json.loads(malformed.message(random.Random(1), 1).redis())  # noqa: S311  to be repeated
BAD = [
    b"garbage",
    b"\xff\0",
    b"[" * 100_000,
    *(
        json.dumps(entry).encode()
        for entry in (
            GOOD,
            [],
            [GOOD, "", "verbs", 1],
            [[], "", "verbs"],
            [{**GOOD, "headers": []}, "", "verbs"],
            [{**GOOD, "properties": {"delivery_info": "none"}}, "", "verbs"],
            [GOOD, "", ["verbs"]],
            [GOOD, 1, "verbs"],
            [GOOD, "", "unacked"],  # which is no list
        )
    ),
]


@pytest.fixture(scope="module")
def broker() -> Iterator[Valkey]:
    """A broker with nothing in it."""
    with services.embedded_valkey() as valkey:
        yield valkey


def test_what_cannot_be_restored_is_refused_and_stops_nothing(broker: Valkey) -> None:
    """The oldest entry returns to its queue though younger ones are unreadable; a consumer gets those as they are."""
    with GuardedConnection(broker.url) as connection, redis.Redis(unix_socket_path=str(broker.socket)) as server:
        server.flushall()
        channel: Any = connection.channel()
        channel.queue_declare("ingest")
        channel._active_queues.append("ingest")
        server.hset(
            "unacked", mapping={"old": json.dumps([GOOD, "", "verbs"]), **{str(n): b for n, b in enumerate(BAD)}}
        )
        server.zadd("unacked_index", {"old": 1, "nothing": 2, **{str(n): n + 3 for n in range(len(BAD))}})
        for _ in range(3):  # ten at a time
            channel.qos.restore_visible(interval=1)
        assert (server.hlen("unacked"), server.zcard("unacked_index")) == (0, 0)
        (again,) = server.lrange("verbs", 0, -1)
        assert json.loads(again)["body"] == GOOD["body"]
        carried = [loads(item)["headers"][UNREADABLE_HEADER] for item in server.lrange("ingest", 0, -1)]
        assert sorted(map(base64.b64decode, carried)) == sorted(BAD)


def test_a_server_without_room_loses_nothing(broker: Valkey) -> None:
    """While Redis takes no more, an entry stays where it is, and returns later."""
    with GuardedConnection(broker.url) as connection, redis.Redis(unix_socket_path=str(broker.socket)) as server:
        server.flushall()
        channel: Any = connection.channel()
        channel._active_queues.append("ingest")
        server.hset("unacked", mapping={"good": json.dumps([GOOD, "", "verbs"]), "bad": b"garbage"})
        server.zadd("unacked_index", {"good": 1, "bad": 2})
        server.config_set("maxmemory", 1)
        try:
            for tag in ("good", "bad"):
                channel.qos.restore_by_tag(tag)
        finally:
            server.config_set("maxmemory", 0)
        assert server.hlen("unacked") == 2
        channel.qos.restore_visible(interval=1)
        assert (server.hlen("unacked"), server.llen("verbs"), server.llen("ingest")) == (0, 1, 1)
