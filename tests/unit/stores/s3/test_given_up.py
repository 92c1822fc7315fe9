"""A server whose answers are not understood is left to boto3, for good."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.credentials import Credentials

from tierkeeper.stores.s3 import exchange, signed


def test_what_was_under_way_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that began before, and succeeds after the last odd answer, brings the client's own calls not back."""
    meta = SimpleNamespace(endpoint_url="http://127.0.0.1:9", region_name="here")
    client = signed.SignedClient(
        cast("Any", SimpleNamespace(meta=meta)),
        Credentials("key", "secret"),
        "bucket",
        virtual=False,
        connections=2,
        connect_timeout=1,
        read_timeout=1,
        ca_bundle=None,
    )
    begun, going = threading.Event(), threading.Event()

    def ask(_method: str, target: str, *_: object, **_more: object) -> exchange.WholeAnswer:
        if not target.endswith("slow"):
            raise exchange.NotUnderstood("odd")
        begun.set()
        assert going.wait(20)
        return exchange.WholeAnswer(200, {}, b"")

    monkeypatch.setattr(client, "_exchange", SimpleNamespace(ask=ask))
    slow = threading.Thread(target=client._send, args=(signed._Request("PUT", "slow", {}),))
    slow.start()
    assert begun.wait(20)
    for _ in range(signed._MOST_ODD):
        assert client._signed(signed._Request("PUT", "key", {})) is not None
        with pytest.raises(exchange.NotUnderstood):
            client._send(signed._Request("PUT", "key", {}))
    going.set()
    slow.join()
    assert client._signed(signed._Request("PUT", "key", {})) is None
