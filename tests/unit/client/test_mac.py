"""Signatures of messages: what they cover, which keys count, how long they hold."""

import base64
from typing import Any

import pytest
from celery import Celery
from kombu import serialization

from tierkeeper_client import TierkeeperClient
from tierkeeper_client.contract import ACTOR_HEADER
from tierkeeper_client.errors import InvalidInput
from tierkeeper_client.mac import COVERED, MAC_HEADER, KeyRing
from tierkeeper_client.signing import SENT_HEADER, sign_messages

NEW, OLD = (base64.b64encode(letter * 32).decode() for letter in (b"n", b"o"))
HEADERS: dict[str, Any] = {"task": "tierkeeper.purge", "id": "k", "eta": None, "expires": None, "retries": 0}
BODY = b'[[], {"tenant": "acme"}, {"callbacks": null}]'
HOUR = 3600.0
NOW = 1_800_000_000.0


@pytest.fixture
def ring() -> KeyRing:
    """Two keys, of which the first signs."""
    return KeyRing.parse(f"new:{NEW}, old:{OLD}")


def signed(ring: KeyRing, **changes: object) -> dict[str, Any]:
    """The headers of a message, signed and then changed."""
    return {**HEADERS, MAC_HEADER: ring.sign(HEADERS, BODY, at=NOW), **changes}


def test_a_signed_message_is_trusted(ring: KeyRing) -> None:
    """What was signed with any key of the ring, within its age, has no problem."""
    assert ring.problem(signed(ring), BODY, max_age=HOUR, now=NOW + HOUR) == ""
    assert ring.problem(signed(KeyRing.parse(f"old:{OLD}")), BODY, max_age=HOUR, now=NOW) == ""


@pytest.mark.parametrize("header", COVERED)
def test_every_header_that_matters_is_covered(ring: KeyRing, header: str) -> None:
    """Another value in any of them does not fit the signature."""
    assert "does not fit" in ring.problem(signed(ring, **{header: "other"}), BODY, max_age=HOUR, now=NOW)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (None, "is not signed"),
        ("", "not known"),
        ("x", "not known"),
        ("1:nobody:1000:00", "not known"),
        ("2:new:1000:00", "not known"),
        ("1:new:" + "9" * 5000 + ":00", "not known"),
        ("1:new:1000:\ud800", "does not fit"),
        ("1:new:1000:", "does not fit"),
        (7, "not known"),
    ],
)
def test_what_is_no_signature_is_refused(ring: KeyRing, header: object, problem: str) -> None:
    """Whatever stands in the header, the answer is a reason and never an exception."""
    assert problem in ring.problem({**HEADERS, MAC_HEADER: header}, BODY, max_age=HOUR, now=NOW)


def test_the_body_is_covered_byte_for_byte(ring: KeyRing) -> None:
    """A callback added to the body, or only a space, does not fit."""
    for body in (BODY + b" ", BODY.replace(b"null", b'["evil"]')):
        assert "does not fit" in ring.problem(signed(ring), body, max_age=HOUR, now=NOW)


@pytest.mark.parametrize("now", [NOW + HOUR + 1, NOW - HOUR - 1])
def test_old_and_future_ones_are_refused(ring: KeyRing, now: float) -> None:
    """Beyond the window in either direction a signature no longer counts; changing its time breaks it."""
    assert "was signed" in ring.problem(signed(ring), BODY, max_age=HOUR, now=now)
    moved = signed(ring)[MAC_HEADER].replace(f":{int(NOW)}:", f":{int(now)}:")
    assert "does not fit" in ring.problem({**HEADERS, MAC_HEADER: moved}, BODY, max_age=HOUR, now=now)


@pytest.mark.parametrize("text", ["", "k1", "k1:***", "k1:c2hvcnQ=", f"k1:{NEW},k1:{OLD}", f"a b:{NEW}", NEW])
def test_unusable_keys_are_refused_without_being_shown(text: str) -> None:
    """A key without a name, no base64, too short, or named twice is InvalidInput, and no secret stands in it."""
    with pytest.raises(InvalidInput) as caught:
        KeyRing.parse(text)
    assert NEW not in str(caught.value)
    assert "c2hvcnQ=" not in str(caught.value)


def published(app: Celery, monkeypatch: pytest.MonkeyPatch, **kwargs: object) -> tuple[dict[str, Any], bytes]:
    """The headers and the bytes of the body that ``app`` would send."""
    seen: dict[str, Any] = {}

    def publish(self: object, body: object, **options: dict[str, Any]) -> None:
        seen.update(headers=options["headers"], body=serialization.dumps(body, serializer="json")[2].encode())

    monkeypatch.setattr("kombu.Producer.publish", publish)
    app.send_task("tierkeeper.purge", kwargs=kwargs, headers={ACTOR_HEADER: "bö"}, queue="verbs")
    return seen["headers"], seen["body"]


def test_an_app_signs_what_it_sends(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A producer's own app, told its keys, signs the very bytes that travel, and says when it sent them."""
    app = Celery(broker="memory://", set_as_current=False)
    sign_messages(app, f"new:{NEW}")
    headers, body = published(app, monkeypatch, name="Zürich ☃")
    assert ring.problem(headers, body, max_age=HOUR) == ""
    assert headers[SENT_HEADER] > 1e9


def test_without_keys_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app without keys notes the time and signs nothing."""
    app = Celery(broker="memory://", set_as_current=False)
    sign_messages(app, None)
    headers, _body = published(app, monkeypatch)
    assert MAC_HEADER not in headers
    assert SENT_HEADER in headers


def test_the_client_refuses_bad_keys() -> None:
    """Keys that cannot be used are found when the client is made."""
    with pytest.raises(InvalidInput, match="message keys"):
        TierkeeperClient("redis://nowhere", keys="k1")
