"""What becomes of a message whose connection broke while its task worked."""

import logging
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from kombu import Connection, Queue

from worker.consumer import outlived

_log = logging.getLogger(__name__)


@pytest.mark.parametrize("given_back", [False, True], ids=["acknowledged", "given back"])
def test_an_answer_over_a_broken_connection_ends_nothing(valkey_url: str, *, given_back: bool) -> None:
    """It is a line in the log: the broker keeps the message, and delivers it again."""
    with Connection(valkey_url) as broken:
        channel: Any = broken.channel()
        waiting = Queue("verbs", channel=channel)
        waiting.declare()
        broken.Producer().publish("work", routing_key="verbs")
        message: Any = waiting.get(no_ack=False)
        # as kombu leaves a channel whose broker goes away while it is closed
        channel._pool.disconnect()
        channel._pool, transport = None, channel.connection
        client, transport.client = transport.client, None
        if given_back:
            outlived(message.reject_log_error)(_log, broken.connection_errors, requeue=True)
        else:
            outlived(message.ack_log_error)(_log, broken.connection_errors)
        assert not message.acknowledged
        with redis.Redis(unix_socket_path=urlsplit(valkey_url).path) as broker:
            assert broker.hlen("unacked") == 1
        transport.client = client
