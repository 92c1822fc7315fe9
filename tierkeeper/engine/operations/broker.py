"""Check that the broker is reachable and accepts this process's login, over a connection of its own."""

import math

from kombu import Connection
from kombu.exceptions import KombuError

from tierkeeper.base.errors import BrokerUnreachable
from tierkeeper_client.settings import shared_settings


def ask(url: str, *, seconds: float) -> None:
    """Connect, with one retry; raise BrokerUnreachable unless the broker accepts the login within ``seconds``.

    The check opens a channel too: with Redis that sends a PING, which fails where the password is wrong.
    """
    options = shared_settings(url, socket_timeout=seconds, connect_timeout=seconds)["broker_transport_options"]
    with Connection(url, connect_timeout=seconds, transport_options=options) as connection:
        transport_errors: tuple[type[BaseException], ...] = (*connection.connection_errors, *connection.channel_errors)
        unreachable: tuple[type[BaseException], ...] = (KombuError, OSError, *transport_errors)
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=max(1, math.ceil(seconds)))
            connection.default_channel  # noqa: B018  the property opens the channel
        except unreachable as error:
            raise BrokerUnreachable(reason=str(error).strip() or type(error).__name__) from error
