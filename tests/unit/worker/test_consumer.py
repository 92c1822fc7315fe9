"""What the consumer takes out of a message that is refused."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import compression
from kombu.message import Message

from tasks.base import REFUSED_HEADER
from tierkeeper.settings.groups import MessagesSettings
from worker.consumer import Judge, defuse, refuse_compressed

KEYS = "k1:" + base64.b64encode(b"k" * 32).decode()


@pytest.mark.parametrize(
    ("settings", "size", "problem"),
    [
        ({}, 128 * 1024, ""),
        ({"keys": KEYS}, 10, "it is not signed"),
        ({"max_bytes": 128 * 1024}, 128 * 1024 + 1, "messages.max_bytes"),
        ({"max_bytes": 128 * 1024, "keys": KEYS}, 128 * 1024 + 1, "messages.max_bytes"),  # before it is hashed
    ],
)
def test_size_is_judged_before_the_signature(settings: dict[str, Any], size: int, problem: str) -> None:
    """Without keys anybody may send; a body over the limit is refused in any case."""
    said = Judge(MessagesSettings(**settings)).problem({"task": "x"}, b"x" * size)
    assert problem in said
    assert bool(said) == bool(problem)


def test_nothing_but_the_name_and_the_id_is_left() -> None:
    """Arguments, callbacks, ETA and whatever else stood in the headers are gone."""
    headers = {"task": "t", "id": "i", "eta": "2099-01-01", "timelimit": [1, 1], "tierkeeper_actor": "root", "x": 1}
    message = SimpleNamespace(body=b'[[], {"a": 1}, {"chain": ["evil"]}]', headers=headers)
    defuse(message, name="t", id_="i", problem="why")
    assert message.headers == {"task": "t", "id": "i", "root_id": "i", "ignore_result": False, REFUSED_HEADER: "why"}
    args, kwargs, embed = json.loads(message.body)
    assert (args, kwargs, set(embed.values())) == ([], {}, {None})


def test_what_is_compressed_is_never_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way of compressing that kombu knows is refused, whatever it is called in the header."""
    for name in ("_decoders", "_encoders"):  # the process's own stay as they are
        monkeypatch.setattr(compression, name, dict(getattr(compression, name)))
    bomb, kind = compression.compress("x" * 1000, "gzip")
    refuse_compressed()
    for name in ("gzip", "zlib", kind):
        message: Any = Message(bomb, headers={"compression": name}, content_type="application/json")  # type: ignore[arg-type]  # bytes, as they travel
        assert "compressed messages are refused" in str(message.errors[0][1])
