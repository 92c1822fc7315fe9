"""From a message as it came to one that Celery may have, or to the reason why it is refused.

Whatever Celery would read from it is judged by type and bound before, in this order: whether it could be read at all,
its headers, its size, its signature, its body. Its headers are made here: those that a task needs, no more.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from celery.utils.time import maybe_iso8601

from tierkeeper.settings.groups import MessagesSettings
from tierkeeper_client import times
from tierkeeper_client.contract import ACTOR_HEADER, AGAIN_HEADER, CORRELATION_HEADER, SENDING_HEADER
from tierkeeper_client.identifiers import MAX_HEADER
from tierkeeper_client.limits import MESSAGE_DEPTH
from tierkeeper_client.mac import KeyRing
from tierkeeper_client.signing import SENT_HEADER

#: set by the transports on a message that could not be read: its bytes in base64, or those of its properties
UNREADABLE_HEADER: Final = "tierkeeper_unreadable"
#: of the body's lists and mappings; each takes some hundred bytes of the worker's memory, for two of the message
MAX_MEMBERS: Final = 1_000_000
MAX_TEXT: Final = 10_000  # characters of an id; the task answers what the catalog cannot keep
MAX_CALLS: Final = 100  # callbacks, and tasks of a chain
COMPRESSED: Final = "compressed messages are refused; send them as they are"
_MAX_NUMBER: Final = 2**31
_MAX_SHOWN: Final = 1024  # characters of the arguments' representation, which Flower shows
_EMBEDDED: Final = ("callbacks", "errbacks", "chain")
#: a text of JSON, to the end of the body where its end is missing; it never steps back, so it takes linear time
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ENCODINGS: Final = frozenset({None, "utf-8", "utf8", "us-ascii", "ascii"})

Check = Callable[[Any], str]


class RefusalError(ValueError):
    """A message is refused, for the reason that is its text."""


def _id(value: Any) -> str:  # noqa: ANN401  whatever a header holds, as below
    if not isinstance(value, str):
        return f"is a {_kind(value)}, not a text"
    if not 0 < len(value) <= MAX_TEXT:
        return f"has {len(value)} characters, and 1 to {MAX_TEXT} are allowed"
    return "" if value.isprintable() else "has characters that cannot be printed"


def _optional_id(value: Any) -> str:  # noqa: ANN401
    return "" if value is None else _id(value)


def _count(value: Any) -> str:  # noqa: ANN401
    good = value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_NUMBER)
    return "" if good else f"is a {_kind(value)}, not a number of 0 to {_MAX_NUMBER}"


def _flag(value: Any) -> str:  # noqa: ANN401
    return "" if value is None or isinstance(value, bool) else f"is a {_kind(value)}, not true or false"


def _scalar(value: Any) -> str:  # noqa: ANN401
    return "" if value is None or isinstance(value, str | int | float) else f"is a {_kind(value)}, not a text"


def _time(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_HEADER:
        return f"is a {_kind(value)}, not a time as text"
    try:
        _moment(value)
    except (ValueError, OverflowError):
        return "is no time of ISO 8601"
    return ""


def _limits(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004  hard and soft
        return f"is a {_kind(value)}, not two numbers"
    good = all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in value)
    return "" if good else "has something else than numbers"


#: what Celery gets, each with its check
_KEPT: Final[Mapping[str, Check]] = {
    "task": _id,
    "id": _id,
    "root_id": _optional_id,
    "parent_id": _optional_id,
    "group": _optional_id,
    "group_index": _count,
    "retries": _count,
    "eta": _time,
    "expires": _time,
    "ignore_result": _flag,
    CORRELATION_HEADER: _scalar,
    ACTOR_HEADER: _scalar,
    AGAIN_HEADER: _scalar,
    SENDING_HEADER: _scalar,
    SENT_HEADER: _scalar,
}
#: judged, and replaced by a constant: a task's time limits are the worker's
_DROPPED: Final[Mapping[str, Check]] = {"timelimit": _limits}


class Judge:
    """Judges messages by shape and size and, if ``messages.keys`` is set, by signature."""

    def __init__(self, settings: MessagesSettings) -> None:
        self._ring = None if settings.keys is None else KeyRing.parse(settings.keys)
        self._most = settings.max_bytes
        self._max_age = settings.max_age

    def judged(self, message: Any, tasks: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401  kombu's has no stubs
        """Return the headers with which one of ``tasks`` gets the message; raises :class:`RefusalError`.

        Any other exception means that it cannot be judged.
        """
        headers = message.headers
        if not isinstance(headers, dict):
            raise RefusalError(f"its headers are a {_kind(headers)}, not a mapping")
        if UNREADABLE_HEADER in headers:
            raise RefusalError("its envelope or its properties cannot be read")
        kept = _headers(headers)
        if kept["task"] not in tasks:
            raise RefusalError("it names a task that this worker does not know")
        ahead = None if kept.get("eta") is None else _moment(kept["eta"]) - datetime.now(UTC)
        if ahead is not None and ahead > self._max_age:
            raise RefusalError("its eta is further ahead than messages.max_age")
        body = content(message)
        if problem := self.problem(headers, body):
            raise RefusalError(problem)
        if headers.get("compression") is not None:
            raise RefusalError(COMPRESSED)
        _check_form(message)
        _check_width(body)
        _check_body(message.decode())
        return kept

    def problem(self, headers: Mapping[str, Any], body: bytes) -> str:
        """Return what is wrong with the size, else with the signature; an empty string if nothing is."""
        if len(body) > self._most:
            return f"it has {len(body)} bytes, and messages.max_bytes is {self._most}"
        if self._ring is None:
            return ""
        return self._ring.problem(headers, body, max_age=self._max_age.total_seconds())


def answerable(headers: Any, tasks: Mapping[str, Any]) -> bool:  # noqa: ANN401  whatever came
    """Return True if a refusal can be answered: the headers name a task and the id under which its producer waits."""
    return (
        isinstance(headers, dict)
        and not _id(headers.get("id"))
        and len(headers["id"]) <= MAX_HEADER
        and not _id(headers.get("task"))
        and headers["task"] in tasks
    )


def content(message: Any) -> bytes:  # noqa: ANN401  kombu's has no stubs
    """Return the body as it was sent."""
    body = message.body or b""
    return body.encode(errors="surrogatepass") if isinstance(body, str) else bytes(body)


def beginning(message: Any, most: int) -> tuple[bytes, int, bytes]:  # noqa: ANN401  kombu's has no stubs
    """Return the first ``most`` bytes of a message, its size and its SHA-256: envelope, headers, properties, body."""
    headers = message.headers
    if isinstance(headers, dict) and UNREADABLE_HEADER in headers:
        head, body = _carried(headers[UNREADABLE_HEADER]), content(message)
    else:
        properties = message.properties if isinstance(message.properties, dict) else {}
        envelope = {
            "content-type": message.content_type,
            "content-encoding": message.content_encoding,
            "headers": headers,
            # the broker's own, new at each delivery
            "properties": {k: v for k, v in properties.items() if k not in {"delivery_tag", "delivery_info"}},
        }
        body = content(message)
        try:
            head = json.dumps(envelope, default=repr, sort_keys=True).encode() + b"\n"
        except (TypeError, ValueError, RecursionError):  # keys that are no text, or nested too deeply
            head = b"(headers that cannot be written down)\n"
    digest = hashlib.sha256(head)
    digest.update(body)
    return (head + body[:most])[:most], len(head) + len(body), digest.digest()


def _headers(headers: Mapping[Any, Any]) -> dict[str, Any]:
    for name, check in (*_KEPT.items(), *_DROPPED.items()):
        if problem := check(headers.get(name)):
            raise RefusalError(f"its header {name} {problem}")
    shown = {name: headers.get(name) for name in ("argsrepr", "kwargsrepr", "origin")}
    return {
        "lang": "py",
        "timelimit": [None, None],
        **{name: headers[name] for name in _KEPT if headers.get(name) is not None},
        **{name: value[:_MAX_SHOWN] for name, value in shown.items() if isinstance(value, str) and _encodes(value)},
    }


def _check_form(message: Any) -> None:  # noqa: ANN401  kombu's has no stubs
    """Raise RefusalError unless the body is announced as JSON in UTF-8."""
    if message.content_type != "application/json":
        raise RefusalError("its content type is not application/json")
    encoding = message.content_encoding
    if not (encoding is None or isinstance(encoding, str)) or (encoding and encoding.lower()) not in _ENCODINGS:
        raise RefusalError("its content encoding is not utf-8")


def _check_body(body: Any) -> None:  # noqa: ANN401  any JSON
    """Raise RefusalError unless the body is positional arguments, keyword arguments, and calls that follow."""
    if not isinstance(body, list) or len(body) != 3:  # noqa: PLR2004  of Celery's protocol 2
        raise RefusalError("its body is not a list of three, as Celery's protocol 2 has it")
    args, kwargs, embed = body
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise RefusalError("its arguments are not a list and a mapping")
    if embed is not None and not isinstance(embed, dict):
        raise RefusalError(f"what follows its arguments is a {_kind(embed)}, not a mapping")
    _check_depth(body)
    for name in _EMBEDDED:
        _check_calls(name, (embed or {}).get(name))
    if (chord := (embed or {}).get("chord")) is not None:
        _check_calls("chord", [chord])


def _check_width(body: bytes) -> None:
    """Raise RefusalError if the body has too many members; before it is parsed, as it would have them all in memory."""
    if _members(body) > MAX_MEMBERS and _members(_STRING.sub(b"", body)) > MAX_MEMBERS:
        raise RefusalError(f"its body has more than {MAX_MEMBERS} members")


def _members(body: bytes) -> int:
    """Return at least the number of members of lists and mappings: those in texts count too."""
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _check_depth(body: list[Any]) -> None:
    """Raise RefusalError if the body is nested too deeply; level by level, as recursion might be too deep."""
    level: list[Any] = [body]
    depth = 0
    while level:
        depth += 1
        if depth > MESSAGE_DEPTH:
            raise RefusalError(f"its body is nested more than {MESSAGE_DEPTH} deep")
        members = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for within in members for item in within if isinstance(item, dict | list)]


def _check_calls(name: str, calls: Any) -> None:  # noqa: ANN401  any JSON
    """Raise RefusalError unless these are signatures of tasks, which Celery sends after this one."""
    if calls is None:
        return
    if not isinstance(calls, list) or len(calls) > MAX_CALLS:
        raise RefusalError(f"its {name} are a {_kind(calls)}, not a list of at most {MAX_CALLS}")
    for call in calls:
        options = call.get("options") if isinstance(call, dict) else None
        if (
            not isinstance(call, dict)
            or _id(call.get("task"))
            or not isinstance(call.get("args", []), list | None)
            or not isinstance(call.get("kwargs", {}), dict | None)
            or not isinstance(options, dict | None)
        ):
            raise RefusalError(f"its {name} have something else than signatures of tasks")
        for linked in ("link", "link_error"):
            links = (options or {}).get(linked)
            _check_calls(linked, [links] if isinstance(links, dict) else links)


def _moment(value: str) -> datetime:
    found = maybe_iso8601(value)  # as Celery reads it
    if found is None:
        raise ValueError(value)
    moment = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if not times.within(moment):
        raise ValueError(value)
    return moment


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _carried(value: Any) -> bytes:  # noqa: ANN401  whatever the header holds
    """Return the bytes that a transport put into the header."""
    text = value.encode(errors="replace") if isinstance(value, str) else b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:  # a sender's own header of this name
        return text


def _kind(value: Any) -> str:  # noqa: ANN401  whatever came
    return type(value).__name__
