"""Whether the broker lets this process in, asked over a connection of its own."""

import math

from kombu import Connection
from kombu.exceptions import KombuError

from tierkeeper.base.errors import BrokerUnreachable
from tierkeeper_client.settings import shared_settings


def ask(url: str, *, seconds: float) -> None:
    """Raise BrokerUnreachable unless the broker takes our login and answers within so many seconds, at the second try.

    A first channel is part of it: with Redis that is a PING, which is refused where the password is wrong.
    """
    options = shared_settings(url, socket_timeout=seconds, connect_timeout=seconds)["broker_transport_options"]
    with Connection(url, connect_timeout=seconds, transport_options=options) as connection:
        theirs: tuple[type[BaseException], ...] = (*connection.connection_errors, *connection.channel_errors)
        away: tuple[type[BaseException], ...] = (KombuError, OSError, *theirs)
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=max(1, math.ceil(seconds)))
            connection.default_channel  # noqa: B018  it is made when it is asked for
        except away as error:
            raise BrokerUnreachable(reason=str(error).strip() or type(error).__name__) from error
