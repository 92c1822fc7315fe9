"""kombu's transports for Redis and RabbitMQ, guarded: whatever a message holds, reading it raises nothing.

What cannot be read, of a queue or of what was never acknowledged, becomes a message whose only header is
:data:`~worker.judge.UNREADABLE_HEADER`, with the bytes that came; the consumer refuses it like any other. So it is
acknowledged as others are, and comes again if the worker dies.

An exception of whoever receives a message is logged: messages of Celery's own (remote control, events) are no task's.
"""

import base64
import logging
from collections.abc import Callable, Iterable, Mapping
from queue import Empty
from typing import Any, Final
from uuid import uuid4

import amqp
import kombu
from amqp.method_framing import frame_handler
from kombu.transport import pyamqp, redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads

from worker.judge import UNREADABLE_HEADER

_HEADER_FRAME: Final = 2
_CLASS_AND_SIZE: Final = 12  # bytes of a header frame before its property flags
_MOST_PRIORITY: Final = 9
_ENVELOPE_TEXTS: Final = ("content-type", "content-encoding")

_log = logging.getLogger(__name__)  # kombu and amqp log here too


class RedisQoS(redis.QoS):
    """What was delivered and not acknowledged yet; an entry that cannot be restored stops the return of no other."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:  # noqa: ANN401, FBT001, FBT002  as kombu's
        """Return the message to its queue; one that kombu could not return goes, as it is, where it is refused."""
        this: Any = self  # the stubs lack it
        with this.channel.conn_or_acquire(client) as connected:
            try:
                entry = connected.hget(this.unacked_key, tag)
                if entry is None or _is_restorable(entry, this.channel, connected):
                    super().restore_by_tag(tag, connected, leftmost)
                else:
                    self._refuse(tag, entry, connected)
            except this.channel.connection_errors:
                raise
            except Exception:  # noqa: BLE001  such as a server whose memory is full: the entry stays for later
                _log.exception("a message that was not acknowledged could not be returned to its queue")

    def _refuse(self, tag: Any, entry: bytes, client: Any) -> None:  # noqa: ANN401
        """Move an entry into a queue of this channel, whose consumer makes it a dead letter."""
        this: Any = self
        queues = sorted(this.channel.active_queues)
        if not queues:
            return
        with client.pipeline() as pipe:
            pipe.zrem(this.unacked_index_key, tag).hdel(this.unacked_key, tag)
            pipe.lpush(queues[0], dumps(_carrier(entry))).execute()


class RedisChannel(redis.Channel):
    """A channel that hands on well-formed envelopes only."""

    QoS = RedisQoS
    _shared: Any = None  # the client of its pool

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002  as kombu's
        """Return a client of the pool: the same one each time, but for those that poll.

        kombu makes one for each command, which costs more than the command does.
        """
        this: Any = self  # the stubs lack it
        make: Callable[..., Any] = super()._create_client  # type: ignore[misc]
        if asynchronous:
            client = make(asynchronous=True)
            client.set_response_callback("BRPOP", popped)
            return client
        if self._shared is None or self._shared.connection_pool is not this.pool:  # closed, it has another
            self._shared = make()
        return self._shared

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as kombu's
        """Consume from ``queue``; a message gets delivery information of ours, as its sender's may be of no use."""
        this: Any = self  # the stubs lack most of it
        fanout = queue in this._fanout_queues  # noqa: SLF001  kombu keeps them nowhere else, as below
        consuming = super().basic_consume(queue, *args, **kwargs)
        callbacks = this.connection._callbacks  # noqa: SLF001
        deliver = callbacks[queue]

        def delivered(envelope: Any) -> Any:  # noqa: ANN401
            return deliver(envelope if fanout else addressed(envelope, queue))

        callbacks[queue] = guarded(delivered, this.connection_errors)
        return consuming

    def _receive_one(self, c: Any) -> Any:  # noqa: ANN401  as kombu's
        errors: Any = (*getattr(self, "connection_errors"), Empty)  # noqa: B009  the stubs lack it
        return guarded(super()._receive_one, errors)(c)  # type: ignore[misc]


class RedisTransport(redis.Transport):
    """Redis with :class:`RedisChannel`."""

    Channel = RedisChannel


class AmqpChannel(pyamqp.Channel):
    """A channel whose consumers raise nothing but errors of the connection."""

    def basic_consume(self, queue: str = "", *args: Any, callback: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401
        """Consume from ``queue``, whose name is noted with each message."""

        def delivered(message: Any) -> Any:  # noqa: ANN401
            message.delivery_info["queue"] = queue
            return callback(message)

        errors: Any = amqp.Connection
        wrapped = guarded(delivered, (*errors.connection_errors, *errors.channel_errors))
        consume: Any = super().basic_consume
        return consume(queue, *args, callback=callback and wrapped, **kwargs)


class AmqpConnection(pyamqp.Connection):
    """A connection that takes messages whose properties cannot be read."""

    Channel = AmqpChannel

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as amqp's
        kwargs["frame_handler"] = readable_frames
        super().__init__(*args, **kwargs)


class AmqpTransport(pyamqp.Transport):
    """RabbitMQ by :class:`AmqpConnection`, without global QoS, which quorum queues refuse."""

    Connection = AmqpConnection

    def qos_semantics_matches_spec(self, _connection: Any) -> bool:  # noqa: ANN401  as kombu's
        """Return True: prefetch is counted by consumer."""
        return True


class AmqpsTransport(AmqpTransport, pyamqp.SSLTransport):
    """The same over TLS."""


_GUARDED: Final[Mapping[type, type]] = {
    redis.Transport: RedisTransport,
    pyamqp.Transport: AmqpTransport,
    pyamqp.SSLTransport: AmqpsTransport,
}


class GuardedConnection(kombu.Connection):
    """A connection over the guarded transport for its URL, after a failover too."""

    def get_transport_cls(self) -> Any:  # noqa: ANN401  as kombu's
        """Return the guarded transport."""
        transport = super().get_transport_cls()
        return _GUARDED.get(transport, transport)


def guarded(receive: Callable[[Any], Any], errors: Iterable[type[BaseException]]) -> Callable[[Any], Any]:
    """Wrap ``receive`` so that it raises nothing but ``errors``.

    kombu calls a KeyError an error of the connection too; a message that causes one would break each new connection.
    """
    raised = tuple(error for error in errors if error is not KeyError)

    def received(message: Any) -> Any:  # noqa: ANN401  a message of any transport
        try:
            return receive(message)
        except raised:
            raise
        except Exception:  # noqa: BLE001  no message may end the worker, whatever it contains
            _log.exception("a message could not be received")
            return None

    return received


def popped(response: Any, **_options: Any) -> Any:  # noqa: ANN401  redis's
    """Return what BRPOP answered as (key, envelope), an unreadable envelope replaced by one that carries it."""
    if not response:
        return None
    key, item = response
    try:
        readable = _is_envelope(loads(bytes_to_str(item)))
    except Exception:  # noqa: BLE001  of whatever kind: JSON, UTF-8, recursion, kombu's own types
        readable = False
    return key, item if readable else dumps(_carrier(item))


def addressed(envelope: dict[str, Any], queue: str) -> dict[str, Any]:
    """Return the envelope with a delivery tag and an address of ours.

    The address is the queue that it came from, where it returns to if it is not acknowledged; a tag that its sender
    chose could be another message's.
    """
    properties = envelope["properties"]
    sent = properties.get("delivery_info")
    again = isinstance(sent, dict) and sent.get("redelivered") is True
    priority = properties.get("priority")
    known = isinstance(priority, int) and 0 <= priority <= _MOST_PRIORITY
    return {
        **envelope,
        "properties": {
            "correlation_id": properties.get("correlation_id"),
            "body_encoding": properties.get("body_encoding"),
            "delivery_mode": 2,
            "priority": priority if known else 0,
            "delivery_tag": str(uuid4()),
            "delivery_info": {"exchange": "", "routing_key": queue, "redelivered": again},
        },
    }


def readable_frames(connection: Any, callback: Any) -> Callable[[Any], Any]:  # noqa: ANN401  amqp's
    """Return amqp's handler of frames, preceded by a look at each message's properties."""
    handle = frame_handler(connection, callback)

    def handled(frame: Any) -> Any:  # noqa: ANN401
        kind, channel, content = frame
        return handle((kind, channel, readable_properties(content)) if kind == _HEADER_FRAME else frame)

    return handled


def readable_properties(content: Any) -> Any:  # noqa: ANN401  a buffer
    """Return a header frame's content, its properties replaced by a header that carries them if they are unreadable."""
    try:
        scratch: Any = amqp.Message()  # the stubs lack most of it
        scratch.inbound_header(content)
    except Exception:  # noqa: BLE001  of whatever kind: UTF-8, recursion, dates, types of tables
        came = bytes(content[_CLASS_AND_SIZE:])
        carrier: Any = amqp.Message(application_headers={UNREADABLE_HEADER: base64.b64encode(came).decode()})
        return bytes(content[:_CLASS_AND_SIZE]) + carrier._serialize_properties()  # noqa: SLF001  amqp has nothing else for it
    return content


def _is_restorable(entry: bytes, channel: Any, client: Any) -> bool:  # noqa: ANN401
    """Return True if kombu can return this to its queue; it drops an entry whose message or queue it cannot use."""
    try:
        envelope, exchange, routing_key = loads(bytes_to_str(entry))
        if not isinstance(exchange, str) or not isinstance(routing_key, str) or not _is_envelope(envelope):
            return False
        if not isinstance(envelope["properties"].get("delivery_info", {}), dict):
            return False
    except Exception:  # noqa: BLE001  of whatever kind, as above
        return False
    queues = channel._lookup(exchange, routing_key)  # noqa: SLF001  kombu's own choice, as below
    keys = [channel._q_for_pri(queue, step) for queue in queues for step in redis.PRIORITY_STEPS]  # noqa: SLF001
    return all(client.type(key) in {b"list", b"none"} for key in keys)


def _is_envelope(envelope: Any) -> bool:  # noqa: ANN401  any JSON
    """Return True if kombu can make a message of this, whatever its headers hold."""
    properties = envelope["properties"]
    texts = (*(envelope.get(name) for name in _ENVELOPE_TEXTS), envelope.get("body"), properties.get("correlation_id"))
    if not all(text is None or isinstance(text, str) for text in texts):
        return False
    encoding = properties.get("body_encoding")
    if encoding == "base64":
        base64.b64decode(envelope.get("body") or "", validate=True)
    return encoding in {None, "base64"} and isinstance(envelope.get("headers"), dict)


def _carrier(item: Any) -> dict[str, Any]:  # noqa: ANN401  bytes or text
    content = item if isinstance(item, bytes) else str(item).encode(errors="surrogatepass")
    return {"body": None, "headers": {UNREADABLE_HEADER: base64.b64encode(content).decode()}, "properties": {}}
