"""An HTTP server before an S3 server that misbehaves as S3 does: what no TCP fault can tell.

503 in storms, 500, 403, 409; answers that never come though the call took effect, or take effect later; bodies cut
short or changed; 200 with an error in the body for CopyObject and CompleteMultipartUpload; bulk deletes of which some
keys fail; uploads that can't be aborted.
"""

import http.client
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OF_A_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
_CHECKSUM = re.compile(rb"<ChecksumSHA256>.*?</ChecksumSHA256>")
_KEY = re.compile(rb"<Object>.*?</Object>", re.DOTALL)


class Trick(StrEnum):
    """What becomes of a request."""

    SLOW_DOWN = "503 SlowDown"
    INTERNAL = "500 InternalError"
    DENIED = "403 AccessDenied"
    CONFLICT = "409 ConditionalRequestConflict"
    UNANSWERED = "no answer after the effect"
    LATE = "no answer, and a late effect"
    ERROR_IN_200 = "200 with an error"
    ERROR_AFTER_200 = "200 with an error, though it took effect"
    TRUNCATED = "a body cut short"
    CHANGED = "a changed body"
    PARTIAL = "a partly failed bulk delete"


_STATUS = {Trick.SLOW_DOWN: 503, Trick.INTERNAL: 500, Trick.DENIED: 403, Trick.CONFLICT: 409}


@dataclass(slots=True)
class Answer:
    """What the server behind said."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class Front:
    """Passes requests on to ``behind`` and plays its tricks on a ``share`` of them.

    ``patience``: the seconds after which the client gives up.
    """

    behind: tuple[str, int]
    chance: random.Random
    patience: float
    share: float = 0.0
    mute: bool = False  # no checksum of what is there or was copied is told: Ceph's of what came in parts
    met: Counter[str] = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)  # what was given wrong once comes right the next time
    busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    endpoint: str = ""

    def trick(self, request: "Request") -> Trick | None:
        """Choose what becomes of a request; None: nothing, this time."""
        with self.lock:
            if self.chance.random() >= self.share:
                return None
            possible = list(_possible(request))
            self.chance.shuffle(possible)
            chosen = min(possible, key=lambda trick: self.met[trick])  # what was played least
            if chosen is Trick.CHANGED:
                if request.path in self.changed:
                    return None
                self.changed.add(request.path)
            self.met[chosen] += 1
            return chosen

    def instead(self, request: "Request") -> Answer | None:  # noqa: ARG002  for fronts of another kind
        """Answer a request that the server behind is not to see; None: it is."""
        return None

    def passed(self, answer: Answer) -> Answer:
        """Return what becomes of an answer of the server behind."""
        return answer

    def quiet(self) -> None:
        """Wait until nothing is under way, late effects included."""
        until = time.monotonic() + 30
        while self.busy and time.monotonic() < until:
            time.sleep(0.01)
        assert not self.busy


class Request(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    front: Front
    body: bytes

    def handle_any(self) -> None:
        """Pass the request on, with whatever trick."""
        self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.front.lock:
            self.front.busy += 1
        try:
            answer = self.front.instead(self)
            if answer is None:
                self._play(self.front.trick(self))
            else:
                self._answer(answer)
        finally:
            with self.front.lock:
                self.front.busy -= 1

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815  the names that the base class calls

    @property
    def words(self) -> str:
        """The query."""
        return urlsplit(self.path).query

    def _play(self, trick: Trick | None) -> None:
        match trick:
            case Trick.SLOW_DOWN | Trick.INTERNAL | Trick.DENIED | Trick.CONFLICT:
                self._answer(error(_STATUS[trick], trick.split()[1]))
            case Trick.UNANSWERED:
                self._forward()
                self._hang_up()
            case Trick.LATE:
                time.sleep(self.front.patience * 1.3)
                self._forward()
                self._hang_up()
            case Trick.ERROR_IN_200:
                self._answer(error(200, "InternalError"))
            case Trick.ERROR_AFTER_200:
                self._forward()
                self._answer(error(200, "InternalError"))
            case Trick.TRUNCATED:
                self._answer(self._forward(), cut=True)
            case Trick.CHANGED:
                answer = self._forward()
                if answer.body:
                    answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])
                self._answer(answer)
            case Trick.PARTIAL:
                self._partial()
            case _:
                self._answer(self._forward())

    def _partial(self) -> None:
        keys = _KEY.findall(self.body)
        failing = [key for key in keys if self.front.chance.random() < 0.5]
        going = [key for key in keys if key not in failing]
        errors = b"".join(
            key.replace(b"<Object>", b"<Error>").replace(
                b"</Object>", b"<Code>InternalError</Code><Message>a trick</Message></Error>"
            )
            for key in failing
        )
        if going:
            self.body = b"<Delete>" + b"".join(going) + b"</Delete>"
            answer = self._forward()
            answer.body = answer.body.replace(b"</DeleteResult>", errors + b"</DeleteResult>")
        else:
            answer = Answer(200, [("content-type", "application/xml")], b"<DeleteResult>" + errors + b"</DeleteResult>")
        self._answer(answer)

    def _forward(self) -> Answer:
        connection = http.client.HTTPConnection(*self.front.behind, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
            headers |= {"Content-Length": str(len(self.body))}
            headers.pop("Expect", None)
            connection.request(self.command, self.path, body=self.body, headers=headers)
            answer = connection.getresponse()
            return self.front.passed(self._muted(Answer(answer.status, answer.getheaders(), answer.read())))
        finally:
            connection.close()

    def _muted(self, answer: Answer) -> Answer:
        if not self.front.mute or not (self.command == "HEAD" or "x-amz-copy-source" in self.headers):
            return answer
        told = [(name, value) for name, value in answer.headers if not name.lower().startswith("x-amz-checksum")]
        return Answer(answer.status, told, _CHECKSUM.sub(b"", answer.body))

    def _answer(self, answer: Answer, *, cut: bool = False) -> None:
        self.send_response(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in _OF_A_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


def _possible(request: Request) -> Iterator[Trick]:
    yield from (Trick.SLOW_DOWN, Trick.SLOW_DOWN, Trick.INTERNAL, Trick.DENIED, Trick.UNANSWERED)
    copying = "x-amz-copy-source" in request.headers
    if request.command == "PUT":
        yield from (Trick.CONFLICT, Trick.LATE)
    if request.command == "GET" and not request.words:  # an object
        yield from (Trick.TRUNCATED, Trick.TRUNCATED, Trick.CHANGED, Trick.CHANGED)
    if copying or (request.command == "POST" and "uploadId" in request.words):
        yield from (Trick.ERROR_IN_200, Trick.ERROR_AFTER_200)
    if request.command == "POST" and "delete" in request.words:
        yield from (Trick.PARTIAL, Trick.PARTIAL)


def error(status: int, code: str) -> Answer:
    """Return an error of S3."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>a trick</Message></Error>'
    return Answer(status, [("content-type", "application/xml")], body.encode())


@contextmanager
def in_front_of(endpoint: str, chance: random.Random, *, patience: float, kind: type[Front] = Front) -> Iterator[Front]:
    """A front before the S3 server at ``endpoint``, without tricks yet; ``kind`` may have its own choice of them."""
    parts = urlsplit(endpoint)
    assert parts.hostname is not None
    assert parts.port is not None
    front = kind((parts.hostname, parts.port), chance, patience)
    handler: Mapping[str, object] = {"front": front}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfThisFront", (Request,), dict(handler)))
    server.daemon_threads = True
    front.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
