"""What is known of a call from how its tries ended: refused for certain, or nobody knows."""

from collections.abc import Callable

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
)

from tierkeeper.stores.s3 import attempts

_URL = "http://s3.example.org"


@pytest.mark.parametrize(
    ("tried", "refused"),
    [
        ([], True),
        ([lambda: attempts.lost(EndpointConnectionError(endpoint_url=_URL))], True),
        ([lambda: attempts.lost(ConnectTimeoutError(endpoint_url=_URL))], True),
        ([lambda: attempts.lost(ConnectionClosedError(endpoint_url=_URL))], False),
        # urllib3 says so too of a proxy that hangs up after it had the whole request
        ([lambda: attempts.lost(ProxyConnectionError(proxy_url=_URL))], False),
        ([lambda: attempts.answered(403)], True),
        ([lambda: attempts.answered(503)], True),
        ([lambda: attempts.answered(500)], False),
        ([lambda: attempts.answered(204)], False),
        ([lambda: attempts.answered(500), lambda: attempts.answered(503)], False),
        ([lambda: attempts.answered(503), lambda: attempts.answered(409)], True),
    ],
)
def test_what_was_refused_for_certain(tried: list[Callable[[], None]], refused: bool) -> None:  # noqa: FBT001  a case's
    """A call was, if all its tries were, or none began."""
    with attempts.watched() as tries:
        for one in tried:
            one()
    assert tries.refused is refused


def test_nobody_watches() -> None:
    """A call that nobody watches notes nothing."""
    attempts.answered(500)
    with attempts.watched() as tries:
        pass
    assert tries.refused
