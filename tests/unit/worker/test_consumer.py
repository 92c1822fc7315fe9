"""What the consumer makes of a message that is refused."""

import json
from typing import Any

import pytest
from kombu import compression
from kombu.message import Message

from worker.consumer import as_refusal, refuse_compressed


def test_nothing_of_a_refused_message_goes_on_but_its_id() -> None:
    """Arguments, callbacks, ETA and whatever else stood in the message are gone, also as kombu remembers them."""
    headers = {"task": "t", "id": "i", "eta": "2099-01-01", "timelimit": [1, 1], "tierkeeper_actor": "root", "x": 1}
    properties = {"reply_to": "x", "correlation_id": "y"}
    kombus: Any = Message  # its stubs know text alone
    message = kombus(
        b'[[], {"a": 1}, {"chain": ["evil"]}]',
        headers=headers,
        properties=properties,
        content_type="application/json",
        content_encoding="utf-8",
    )
    assert message.payload[1] == {"a": 1}
    as_refusal(message, "i", {"reason": "why"}, ignore_result=False)
    assert message.headers == {
        "lang": "py",
        "task": "tierkeeper.refuse",
        "id": "i",
        "root_id": "i",
        "timelimit": [None, None],
        "ignore_result": False,
    }
    assert message.properties == {"correlation_id": "i"}
    assert message.payload == json.loads(message.body) == [[], {"reason": "why"}, None]


def test_what_is_compressed_is_never_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way of compressing that kombu knows is refused, whatever it is called in the header."""
    for name in ("_decoders", "_encoders"):  # the process's own stay as they are
        monkeypatch.setattr(compression, name, dict(getattr(compression, name)))
    bomb, kind = compression.compress("x" * 1000, "gzip")
    refuse_compressed()
    for name in ("gzip", "zlib", kind):
        message: Any = Message(bomb, headers={"compression": name}, content_type="application/json")  # type: ignore[arg-type]  # bytes, as they travel
        assert "compressed messages are refused" in str(message.errors[0][1])
