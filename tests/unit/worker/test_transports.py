"""What the transports hand on of what lies in a broker, and what they do with what cannot be read."""

import base64
import json
import random
from queue import Empty
from types import SimpleNamespace
from typing import Any

import amqp
import pytest
import redis
from kombu.utils.json import loads
from support import malformed

from worker.judge import UNREADABLE_HEADER
from worker.transports import GuardedConnection, RedisChannel, addressed, guarded, popped, readable_properties

GOOD = malformed.message(random.Random(1), 1).redis()  # noqa: S311  to be repeated


def carried(item: bytes) -> bytes | None:
    """The bytes that an envelope carries; None if it is one of its own."""
    _, came = popped((b"verbs", item))
    carrier = loads(came)["headers"].get(UNREADABLE_HEADER)
    return None if carrier is None else base64.b64decode(carrier)


def test_a_good_envelope_is_handed_on_as_it_is() -> None:
    """Nothing of it is changed, and nothing is made of an empty answer."""
    assert popped((b"verbs", GOOD)) == (b"verbs", GOOD)
    assert popped(None) is None


@pytest.mark.parametrize(
    "item",
    [
        b"",
        b"\xff\0",
        b"[]",
        b"{}",
        b"[" * 100_000,
        GOOD[:-1],
        GOOD.replace(b'"headers"', b'"other"'),
        json.dumps({**json.loads(GOOD), "properties": []}).encode(),
        json.dumps({**json.loads(GOOD), "body": "***"}).encode(),
        json.dumps({**json.loads(GOOD), "more": {"__type__": "x", "__value__": 1}}).encode(),
    ],
)
def test_an_unreadable_envelope_is_carried_by_one_of_ours(item: bytes) -> None:
    """Its bytes come to the consumer, which refuses them; so does an envelope that carries them already."""
    assert carried(item) == item
    _, came = popped((b"verbs", item))
    again = json.dumps(addressed(loads(came), "verbs")).encode()
    assert carried(again) == item


def test_an_envelope_returns_to_the_queue_that_it_came_from() -> None:
    """Delivery tag, address and priority are ours; that it was delivered before is kept."""
    envelope = json.loads(GOOD)
    sent = {"exchange": "nowhere", "routing_key": [], "redelivered": True}
    envelope["properties"] |= {"delivery_tag": "another's", "delivery_info": sent, "priority": "high", "reply_to": [1]}
    made = addressed(envelope, "purge")["properties"]
    assert made["delivery_info"] == {"exchange": "", "routing_key": "purge", "redelivered": True}
    assert made["priority"] == 0
    assert made["delivery_tag"] not in {"another's", addressed(envelope, "purge")["properties"]["delivery_tag"]}
    assert "reply_to" not in made
    assert not addressed(json.loads(GOOD), "purge")["properties"]["delivery_info"]["redelivered"]


@pytest.mark.parametrize("properties", [b"\xa0\x00\x02\xff\xfe", b"\x20\x00\x00\x00\x00\x0a\x01aT" + b"\xff" * 8])
def test_unreadable_properties_are_carried_by_a_header(properties: bytes) -> None:
    """The size of the body stays, as its frames follow; good properties are handed on as they are."""
    front = b"\0\x3c\0\0" + (17).to_bytes(8, "big")
    message: Any = amqp.Message()
    message.inbound_header(readable_properties(front + properties))
    assert base64.b64decode(message.headers[UNREADABLE_HEADER]) == properties
    assert message.body_size == 17
    good: Any = amqp.Message(content_type="application/json")
    whole = front + good._serialize_properties()
    assert readable_properties(whole) is whole


def test_who_receives_a_message_ends_nobody() -> None:
    """Errors of the connection are raised, a KeyError is none; the others are logged."""

    def raising(error: Exception) -> None:
        raise error

    receive = guarded(raising, (ConnectionError, KeyError, Empty))
    for error in (KeyError("x"), TypeError("x"), RecursionError(), AttributeError("x")):
        assert receive(error) is None
    for raised in (ConnectionResetError(), Empty()):
        with pytest.raises(type(raised)):
            receive(raised)


@pytest.mark.parametrize("url", ["redis://x/0", "redis+socket:///x", "amqp://x//", "pyamqp://x//", "amqps://x//"])
def test_each_broker_is_guarded(url: str) -> None:
    """Whatever the URL's scheme, the transport is ours, also of a copy of the connection; memory's is kombu's."""
    for connection in (GuardedConnection(url), GuardedConnection(url).clone()):
        assert connection.get_transport_cls().__module__ == "worker.transports"
    assert GuardedConnection("memory://").get_transport_cls().__module__ == "kombu.transport.memory"


def test_one_client_for_each_pool() -> None:
    """Commands share the client of their pool; behind a connection that broke, that of the pool that came after it."""
    channel: Any = object.__new__(RedisChannel)  # one that is made in the usual way connects
    channel.Client = redis.Redis
    pools = [redis.ConnectionPool(), redis.ConnectionPool()]
    clients = []
    for channel._pool in pools:
        with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
            assert first is second
        clients.append(first)
    assert [client.connection_pool for client in clients] == pools


def test_prefetch_is_never_global() -> None:
    """Quorum queues refuse a prefetch count over all queues, whatever version the server claims."""
    connection = GuardedConnection("amqp://x//")
    old = SimpleNamespace(server_properties={"product": "RabbitMQ", "version": "3.10.8"})
    assert connection.create_transport().qos_semantics_matches_spec(old)
