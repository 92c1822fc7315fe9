"""Messages that are wrong in one place, drawn by chance over envelope, headers, properties and body.

Each case carries a token, by which it is found again, and says whether a worker without keys has to refuse it; some
cases are only odd, and have to be answered. What is wrong is listed here by hand, so that it is no copy of the judge.
"""

import base64
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

from tierkeeper_client.mac import MAC_HEADER, KeyRing

QUEUES: Final = ("ingest", "verbs", "transition", "purge", "maintenance")
TASK: Final = "tierkeeper.archive"  # of what is not there: answered, and nothing is changed


@dataclass(frozen=True, slots=True)
class Case:
    """One message; ``garbage``: these bytes instead, for Redis a whole envelope, for RabbitMQ a list of properties."""

    token: str
    what: str
    refused: bool
    queue: str
    body: bytes
    headers: Any
    content_type: Any = "application/json"
    content_encoding: Any = "utf-8"
    properties: Mapping[str, Any] = field(default_factory=dict)
    envelope: Mapping[str, Any] = field(default_factory=dict)  # what differs in the envelope of Redis
    garbage: bytes | None = None

    def signed(self, keys: KeyRing) -> "Case":
        """Return the case with a good signature, where it has headers that can be signed."""
        if not isinstance(self.headers, dict):
            return self
        try:
            mac = keys.sign(self.headers, self.body)
        except (RecursionError, UnicodeEncodeError):
            return self
        return replace(self, headers={**self.headers, MAC_HEADER: mac})

    def redis(self) -> bytes:
        """Return the message as it lies in a list of Redis."""
        if self.garbage is not None:
            return self.garbage
        properties = {
            "correlation_id": self.token,
            "delivery_info": {"exchange": "", "routing_key": self.queue},
            "delivery_mode": 2,
            "delivery_tag": str(uuid4()),
            "body_encoding": "base64",
            **self.properties,
        }
        envelope = {
            "body": base64.b64encode(self.body).decode(),
            "content-type": self.content_type,
            "content-encoding": self.content_encoding,
            "headers": self.headers,
            "properties": properties,
            **self.envelope,
        }
        left = {name: value for name, value in envelope.items() if value is not ABSENT}
        return json.dumps(left).replace(json.dumps(DEEP), deep(3000)).encode()


ABSENT: Final = object()
DEEP: Final = "as deep as it gets"  # a text in whose place something is put that json cannot write


def deep(depth: int) -> str:
    """Return JSON that is nested so deep, in lists or in mappings."""
    return "[" * depth + "]" * depth if depth % 2 else '{"a":' * depth + "1" + "}" * depth


def nested(depth: int) -> Any:  # noqa: ANN401  any JSON
    """Return lists in lists."""
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def odd(chance: random.Random) -> Any:  # noqa: ANN401  any JSON
    """Return something that is neither text nor null, of some size or depth."""
    return chance.choice(
        [
            17.5,
            -1,
            [],
            {},
            {"a": 1},
            ["x"] * chance.randrange(1, 2000),
            {str(n): n for n in range(chance.randrange(1, 2000))},
            nested(chance.choice([1, 20, 120])),
        ]
    )


def message(chance: random.Random, number: int) -> Case:
    """Return a message with nothing wrong in it."""
    token = f"case-{number:05}-{chance.randrange(16**6):06x}"
    arguments = {"tenant": "acme", "workflow": "malformed", "name": token}
    headers = {"lang": "py", "task": TASK, "id": f"{token}-{uuid4()}", "argsrepr": "()", "kwargsrepr": token}
    body = json.dumps([[], arguments, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    return Case(token, "good", False, chance.choice(QUEUES), body.encode(), headers)


def cases(chance: random.Random, number: int, *, amqp: bool) -> list[Case]:
    """Return so many cases."""
    makers = [_headers, _headers, _body, _body, _form, _odd, _amqp if amqp else _envelope, _amqp if amqp else _garbage]
    return [chance.choice(makers)(chance, message(chance, n)) for n in range(number)]


def _headers(chance: random.Random, case: Case) -> Case:
    far = "2999-01-01T00:00:00+00:00"
    wrong: dict[str, list[Any]] = {
        "task": [odd(chance), "no.such.task", "", "x" * 30_000, None, True],
        "id": [odd(chance), "", "x" * 30_000, None, "a\nb", "a\0b", 7],
        "root_id": [odd(chance), "x" * 30_000, ""],
        "parent_id": [odd(chance), "\x1b[31m"],
        "group": [odd(chance), False],
        "group_index": [-1, "1", [1], 2**60],
        "retries": ["many", -5, [1], {}, 1.5, True, 2**60],
        "eta": [odd(chance), "yesterday", "", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", far, 0],
        "expires": [odd(chance), "tomorrow", "", "0001-01-01T00:00:00+14:00", "x" * 30_000],
        "timelimit": ["soon", 5, [1], [1, 2, 3], ["a", "b"], {"a": 1}, [[], []]],
        "ignore_result": ["yes", [], 1, {"a": 1}],
        "tierkeeper_correlation": [[], {"a": 1}, nested(120)],
        "tierkeeper_actor": [["root"], {}],
        "tierkeeper_sent": [[1], {}],
    }
    name = chance.choice(list(wrong))
    value = chance.choice(wrong[name])
    return replace(case, what=f"header {name}", refused=True, headers={**case.headers, name: value})


def _body(chance: random.Random, case: Case) -> Case:
    kwargs = {"token": case.token}
    embed: dict[str, Any] = {"callbacks": None}
    text = json.dumps(case.token)
    wrong: list[tuple[str, str | bytes]] = [
        ("no JSON", f"{case.token} is no JSON"),
        ("half", case.body[: chance.randrange(len(case.body) - 90, len(case.body))] + case.token.encode()),
        ("text", text),
        ("number", "17 " * 1),
        ("mapping", json.dumps({"args": [], "kwargs": kwargs, "task": TASK, "id": case.token})),
        ("two", json.dumps([[], kwargs])),
        ("four", json.dumps([[], kwargs, embed, 1])),
        ("positional", json.dumps([kwargs, kwargs, embed])),
        ("keywords", json.dumps([[], [case.token], embed])),
        ("null keywords", json.dumps([[case.token], None, embed])),
        ("embed", json.dumps([[], kwargs, [1]])),
        ("callbacks", json.dumps([[], kwargs, {"callbacks": "evil"}])),
        ("call", json.dumps([[], kwargs, {"errbacks": [chance.choice([1, "x", [], {"task": 5}, {"task": ""}])]}])),
        ("chain", json.dumps([[], kwargs, {"chain": {"task": "x"}}])),
        ("chord", json.dumps([[], kwargs, {"chord": [1]}])),
        ("link", json.dumps([[], kwargs, {"callbacks": [{"task": "x", "options": {"link": [5]}}]}])),
        ("deep", f'[[], {{"token": {text}, "a": {deep(chance.choice([101, 300, 900, 5000]))}}}, null]'),
        ("type", f'[[], {{"token": {text}, "a": {{"__type__": "datetime", "__value__": 5}}}}, null]'),
        ("bytes", b"\xff\xfe" + case.body),
        ("empty", b""),
        ("digits", f'[[], {{"token": {text}, "a": {"9" * 5000}}}, null]'),
    ]
    what, body = chance.choice(wrong)
    return replace(case, what=f"body {what}", refused=True, body=body.encode() if isinstance(body, str) else body)


def _form(chance: random.Random, case: Case) -> Case:
    if chance.random() < 0.4:
        kind = chance.choice(["text/plain", "application/x-python-serialize", "application/x-yaml", "", "x" * 200])
        return replace(case, what="content type", refused=True, content_type=kind)
    if chance.random() < 0.7:
        encoding = chance.choice(["utf-16", "nonsense", "binary", "x" * 200])
        return replace(case, what="content encoding", refused=True, content_encoding=encoding)
    packing = chance.choice(["zlib", "application/x-gzip", "nonsense", [1], {"a": 1}])
    return replace(case, what="compression", refused=True, headers={**case.headers, "compression": packing})


def _odd(chance: random.Random, case: Case) -> Case:
    """Return what is odd and does no harm."""
    headers = chance.choice(
        [
            {},
            {"shadow": ["x"], "stamps": odd(chance), "meth": 5, "headers": [1], "is_eager": True, "hostname": {}},
            {"argsrepr": odd(chance), "kwargsrepr": None, "origin": 5},
            {"lang": odd(chance), "delivery_info": "x", "args": 5, "replaced_task_nesting": "x"},
            {"timelimit": [0.001, 0.001], "retries": 3},
            {"x": odd(chance), "X" * 200: "y" * 1000},
        ]
    )
    return replace(case, what="odd", headers={**case.headers, **headers})


def _envelope(chance: random.Random, case: Case) -> Case:
    """Return a message of Redis whose envelope or properties are wrong, or odd."""
    wrong: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"headers": chance.choice([[], None, "x", 5, [case.token], ABSENT, DEEP])}, {}),
        ({"properties": chance.choice([[], None, "x", 5, ABSENT, DEEP])}, {}),
        ({"body": chance.choice([5, [], {}, "***", "a"])}, {}),
        ({"content-type": chance.choice([5, [], {"__type__": "bytes", "__value__": "x"}, {}])}, {}),
        ({"content-encoding": chance.choice([5, [], {}])}, {}),
        ({"more": chance.choice([DEEP, {"__type__": "x", "__value__": 1}])}, {}),
        ({}, {"body_encoding": chance.choice(["utf-7", 5, []])}),
        ({}, {"correlation_id": [case.token]}),
    ]
    envelope, properties = chance.choice(wrong)
    if chance.random() < 0.3:  # odd: the broker's own are made anew
        name, value = chance.choice(
            [
                ("delivery_tag", chance.choice([None, [], 5, {}, "x"])),
                ("delivery_info", chance.choice([None, [], "x", {}, {"exchange": "nowhere", "routing_key": []}])),
                ("priority", chance.choice([None, "high", -5, 10**6, [1]])),
                ("reply_to", odd(chance)),
            ]
        )
        return replace(case, what=f"odd {name}", properties={name: value})
    # the token is told once more, as what is wrong may take the place of both others
    envelope = {**envelope, "token": case.token}
    what = f"envelope {next(iter(envelope))} {[*properties]}"
    return replace(case, what=what, refused=True, envelope=envelope, properties=properties)


def _garbage(chance: random.Random, case: Case) -> Case:
    """Return what is no envelope at all."""
    text = json.dumps(case.token)
    garbage = chance.choice(
        [
            b"\x00\xff" + chance.randbytes(chance.randrange(1000)) + case.token.encode(),
            f"[{text}]".encode(),
            text.encode(),
            f"{{{text}: 1}}".encode(),
            case.redis()[:-1],
            f'{{"a": {text}, "b": {deep(chance.choice([900, 3001, 100_000]))}}}'.encode(),
            case.redis().replace(b'"headers"', b'"headers": NaN, "h"', 1),
            f"{case.token} {'9' * 10_000}".encode(),
        ]
    )
    return replace(case, what="garbage", refused=True, garbage=garbage)


def _amqp(chance: random.Random, case: Case) -> Case:
    """Return a message of RabbitMQ whose properties cannot be read, as raw bytes."""
    token = case.token.encode()

    def table(entries: bytes) -> bytes:
        return len(entries).to_bytes(4, "big") + entries

    def short(text: bytes) -> bytes:
        return bytes([len(text)]) + text

    known = short(b"token") + b"S" + len(token).to_bytes(4, "big") + token
    nest = b""
    for _ in range(chance.choice([900, 3000])):
        nest = short(b"a") + b"F" + table(nest)
    what, entries = chance.choice(
        [
            ("nested", known + nest),
            ("date", known + short(b"eta") + b"T" + b"\xff" * 8),
            ("no task", known),
            ("array", known + short(b"task") + b"A" + table(b"V" * 40)),
            ("key", known + short(b"\xff\xfe") + b"V"),
            ("bytes", known + short(b"task") + b"x" + table(b"\xff\xfe")),
            ("decimal", known + short(b"id") + b"D" + b"\xff\x00\x00\x00\x01"),
        ]
    )
    flags, before = 0x2000, b""  # headers alone
    if chance.random() < 0.3:  # a content type that is no text, before them
        what, flags, before = f"{what}, content type", 0xA000, short(b"\xff\xfe")
    return replace(
        case, what=f"properties {what}", refused=True, garbage=flags.to_bytes(2, "big") + before + table(entries)
    )
