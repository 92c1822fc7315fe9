"""What the judge refuses, and what of a message goes on."""

import base64
import json
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.message import Message
from support import malformed
from support.malformed import Case

from tierkeeper.settings.groups import LimitsSettings, MessagesSettings
from tierkeeper_client.contract import StoreManyArgs, TaskName, validated
from tierkeeper_client.limits import MOST_DEPTH
from tierkeeper_client.mac import KeyRing
from worker.judge import MAX_MEMBERS, UNREADABLE_HEADER, Judge, RefusalError, answerable, beginning

KEYS = "k1:" + base64.b64encode(b"k" * 32).decode()
TASKS: dict[str, Any] = {name.value: None for name in TaskName}
JUDGE = Judge(MessagesSettings())


def arrived(case: Case) -> Any:  # noqa: ANN401  kombu's message
    """The message as kombu hands it over."""
    kombus: Any = Message  # its stubs know text alone
    return kombus(
        case.body,
        headers=case.headers,
        properties={"correlation_id": case.token, "delivery_tag": 1, "delivery_info": {}},
        content_type=case.content_type,
        content_encoding=case.content_encoding,
    )


def reason(case: Case, judge: Judge = JUDGE) -> str:
    """Why the message is refused; an empty text if it is not."""
    try:
        judge.judged(arrived(case), TASKS)
    except RefusalError as refusal:
        return str(refusal)
    except Exception as error:  # noqa: BLE001  what the consumer does
        return f"it cannot be judged ({type(error).__name__})"
    return ""


@pytest.mark.row("F12", "malformed messages")
def test_each_case_is_refused_or_taken() -> None:
    """Of a thousand cases the bad ones are refused for a reason, the odd ones are taken."""
    drawn = malformed.cases(random.Random(5), 1500, amqp=False)  # noqa: S311  to be repeated
    cases = [case for case in drawn if case.garbage is None and not case.envelope and not case.properties]
    assert len(cases) > 1000
    assert not [case.what for case in cases if bool(reason(case)) != case.refused and "compression" not in case.what]


def test_only_what_a_task_needs_goes_on() -> None:
    """Headers that Celery or a task reads are those of this list, whatever else came; time limits are the worker's."""
    case = malformed.message(random.Random(1), 1)  # noqa: S311  to be repeated
    evil = {"timelimit": [1, 1], "shadow": "x", "is_eager": True, "callbacks": [1], "x": 1, "retries": 2}
    message = arrived(replace(case, headers={**case.headers, **evil, "tierkeeper_actor": "shop"}))
    assert JUDGE.judged(message, TASKS) == {
        "lang": "py",
        "task": malformed.TASK,
        "id": case.headers["id"],
        "argsrepr": "()",
        "kwargsrepr": case.token,
        "retries": 2,
        "tierkeeper_actor": "shop",
        "timelimit": [None, None],
    }


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


def test_a_body_is_parsed_after_its_signature() -> None:
    """A body that is no JSON is refused for its missing signature; signed, for what it is."""
    judge = Judge(MessagesSettings(keys=KEYS))
    case = replace(malformed.message(random.Random(1), 1), body=b"[")  # noqa: S311  to be repeated
    assert reason(case, judge) == "it is not signed"
    assert "judged" in reason(case.signed(KeyRing.parse(KEYS)), judge)


def test_a_message_may_wait_as_long_as_it_is_trusted() -> None:
    """A time of execution later than ``messages.max_age`` is refused: its message would be held until then."""
    case = malformed.message(random.Random(1), 1)  # noqa: S311  to be repeated
    for days, refused in ((6, False), (8, True)):
        eta = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        assert bool(reason(replace(case, headers={**case.headers, "eta": eta}))) is refused


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ({"id": "i", "task": "tierkeeper.store"}, True),
        ({"id": "i", "task": "no.such"}, False),
        ({"id": "x" * 201, "task": "tierkeeper.store"}, False),
        ({"id": "a\0b", "task": "tierkeeper.store"}, False),
        ({"id": ["i"], "task": "tierkeeper.store"}, False),
        ({"id": "i", "task": ["tierkeeper.store"]}, False),
        ([], False),
    ],
)
def test_a_refusal_is_answered_where_somebody_can_wait_for_it(headers: Any, *, answered: bool) -> None:  # noqa: ANN401
    """The id has to be one that the result store and the catalog can keep, the task one of ours."""
    assert answerable(headers, TASKS) is answered


def test_a_dead_letter_is_the_beginning_of_all_that_came() -> None:
    """Size and hash are of the whole message, and of the sender's part of it alone."""
    case = malformed.message(random.Random(1), 1)  # noqa: S311  to be repeated
    large = replace(case, body=b"x" * 100_000)
    raw, size, digest = beginning(arrived(large), 1000)
    assert json.loads(raw.partition(b"\n")[0])["headers"] == case.headers
    assert (len(raw), raw[-1:]) == (1000, b"x")
    assert 100_000 < size < 101_000
    again = arrived(large)
    again.properties["delivery_tag"] = 2
    assert beginning(again, 1000)[2] == digest
    assert beginning(arrived(replace(large, body=large.body + b"x")), 1000)[2] != digest


@pytest.mark.parametrize("came", [base64.b64encode(b"\xff\0").decode(), "a sender's own", 5])
def test_what_could_not_be_read_is_kept_as_it_came(came: object) -> None:
    """What a transport put into its header is unpacked; a sender's own header of that name harms nobody."""
    message = SimpleNamespace(headers={UNREADABLE_HEADER: came}, body=b"body")
    raw, _, _ = beginning(message, 1000)
    assert raw.endswith(b"body")
    assert (b"\xff\0" in raw) is (came == base64.b64encode(b"\xff\0").decode())


def body(arguments: str) -> Case:
    """A message with these keyword arguments."""
    case = malformed.message(random.Random(1), 1)  # noqa: S311  to be repeated
    return replace(case, body=f"[[], {arguments}, null]".encode())


@pytest.mark.parametrize("member", ["[],", "{},", "1,", "[[[[[],", '"a\\"",'])
def test_a_wide_body_is_not_parsed(member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would take a hundred times its size of memory is refused before it is found to be no JSON."""
    monkeypatch.setattr("worker.judge.MAX_MEMBERS", 1000)
    assert "more than 1000 members" in reason(body('{"a": [' + member * 1000))
    assert "members" not in reason(body('{"a": [' + "1," * 900 + "1]}"))


@pytest.mark.parametrize("text", ["[{,", r"[{,\\", r"[{,\""])
def test_texts_have_no_members(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commas and brackets in a text count for nothing, wherever the text ends."""
    monkeypatch.setattr("worker.judge.MAX_MEMBERS", 1000)
    assert not reason(body('{"a": ["' + text * 1000 + '", 1]}'))


def test_a_text_without_an_end_takes_linear_time() -> None:
    """Each quotation mark in it might begin another one."""
    began = time.monotonic()
    assert reason(body('"' + r"\"," * (MAX_MEMBERS // 3)))
    assert reason(body('"' + r"\",[{" * (MAX_MEMBERS // 3 + 1)))
    assert time.monotonic() - began < 10


def test_the_deepest_metadata_that_a_setting_allows_are_taken() -> None:
    """What producers may send, in the deepest message, is not refused for its depth; one more level would be."""
    bounds = LimitsSettings(depth=MOST_DEPTH).bounds
    metadata: Any = {}
    for _ in range(MOST_DEPTH):
        metadata = {"a": metadata}
    item = {"tenant": "acme", "workflow": "w", "name": "a", "content": {"kind": "inline", "data": ""}}
    validated(StoreManyArgs, {"items": [{**item, "metadata": metadata}]}, within=bounds)
    for deepest, refused in ((metadata, False), ({"a": metadata}, True)):
        sent = body(json.dumps({"items": [{**item, "metadata": deepest}]}))
        assert ("deep" in reason(sent)) is refused
    with pytest.raises(ValueError, match=f"less than or equal to {MOST_DEPTH}"):
        LimitsSettings(depth=MOST_DEPTH + 1)
