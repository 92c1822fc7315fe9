"""Check that the broker is reachable, accepts this process's login and can be used, over a connection of its own."""

import math
from contextlib import suppress
from typing import Any, Final

from kombu import Connection
from kombu.exceptions import KombuError

from tierkeeper.base.errors import BrokerUnreachable, BrokerUnsupported
from tierkeeper.settings.settings import Settings
from tierkeeper_client.settings import is_amqp, shared_settings

_START: Final = 2.0  # seconds that a start waits for an answer


def ask(url: str, *, seconds: float, setting: str = "broker.url") -> None:
    """Connect, with one retry; raise BrokerUnreachable unless the broker accepts the login within ``seconds``.

    Raises BrokerUnsupported for a node of a Redis cluster, as ``setting`` is what leads there.
    The check opens a channel too: with Redis that sends a PING, which fails where the password is wrong.
    """
    options = shared_settings(url, socket_timeout=seconds, connect_timeout=seconds)["broker_transport_options"]
    with Connection(url, connect_timeout=seconds, transport_options=options) as connection:
        transport_errors: tuple[type[BaseException], ...] = (*connection.connection_errors, *connection.channel_errors)
        unreachable: tuple[type[BaseException], ...] = (KombuError, OSError, *transport_errors)
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=max(1, math.ceil(seconds)))
            channel: Any = connection.default_channel  # the property opens the channel
            cluster = connection.transport.driver_type == "redis" and _is_cluster(channel)
        except unreachable as error:
            raise BrokerUnreachable(reason=str(error).strip() or type(error).__name__) from error
    if cluster:
        raise BrokerUnsupported(setting=setting)


def refuse_clusters(settings: Settings) -> None:
    """Raise BrokerUnsupported if broker or results are in a Redis cluster; one that does not answer is left alone."""
    for setting, url in (("broker.url", settings.broker.url), ("results.url", settings.results.url)):
        if url is not None and not is_amqp(str(url)):
            with suppress(BrokerUnreachable):
                ask(str(url), seconds=_START, setting=setting)


def _is_cluster(channel: Any) -> bool:  # noqa: ANN401  kombu's stubs lack it
    with channel.conn_or_acquire() as client, suppress(channel.ResponseError):  # a login may lack INFO
        return int(client.info("cluster").get("cluster_enabled", 0)) == 1
    return False
