"""Bounds of what is received from an S3 server, in time and in memory, below HTTP: for every client on urllib3.

A read time-out bounds each wait for bytes. A server that sends one byte at a time never meets it, and one that never
stops sending fills the memory. So the waits for a whole answer, its head included, together get one read time-out, and
its size is bounded. The content of an object is streamed and may be of any size; it has to come at a least rate.
"""

import io
import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import urllib3
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSPreparedRequest,
)
from botocore.exceptions import BotoCoreError
from urllib3.connection import HTTPConnection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.client import BaseClient

_MIB: Final = 1024 * 1024
#: bytes a second of an object's content, below which its stream is broken off. What comes faster saves time for a
#: pause, up to the read time-out; the time that the reader takes for itself is not counted.
LEAST_RATE: Final = 4 * 1024
MOST: Final = _MIB  # bytes of an answer
MOST_OF_LIST: Final = 8 * _MIB  # bytes of a page of a list, or of the answer to a bulk delete, of 1000 entries
#: botocore's names of the calls whose answers have an entry for each of up to 1000 objects
_LISTS: Final = frozenset(
    {"DeleteObjects", "ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2", "ListParts"}
)
_CONTENT: Final = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})


class AnswerTooSlow(TimeoutError):  # noqa: N818  what is wrong is the answer
    """What of an answer had come when its time was over."""


class AnswerTooLarge(OSError):  # noqa: N818  as above
    """An answer that is larger than it may be, and was not read further."""


@dataclass(frozen=True, slots=True)
class AnswerBounds:
    """The bounds of one answer; ``most``: its bytes, and where a success is ``content``, those of its head."""

    most: int
    content: bool = False


SMALL: Final = AnswerBounds(MOST)
LIST: Final = AnswerBounds(MOST_OF_LIST)
CONTENT: Final = AnswerBounds(MOST, content=True)

_bounds: ContextVar[AnswerBounds] = ContextVar("_bounds", default=SMALL)


@contextmanager
def expecting(bounds: AnswerBounds) -> Iterator[None]:
    """Bound the answer to the request that is sent within."""
    token = _bounds.set(bounds)
    try:
        yield
    finally:
        _bounds.reset(token)


def bound(client: "BaseClient") -> None:
    """Bound all answers that a client of botocore's receives."""
    session = cast("Any", client)._endpoint.http_session  # noqa: SLF001  botocore takes no connections from elsewhere
    session._pool_classes_by_scheme.update(_POOLS)  # noqa: SLF001  as above
    client.meta.events.register("before-send", _botocore_sends)


def pool(url: str, **options: Any) -> urllib3.HTTPConnectionPool:  # noqa: ANN401  urllib3's
    """Return a pool of connections to one host, with urllib3's options; what it receives is bounded."""
    manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = _POOLS
    return manager.connection_from_url(url)


def reason_of(error: BaseException | None) -> str | None:
    """Return what an error of botocore or urllib3 says of these bounds; None if it is not of them."""
    while isinstance(error, _WRAPPED):
        if isinstance(error, AnswerTooSlow | AnswerTooLarge):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def _botocore_sends(request: AWSPreparedRequest, event_name: str, **_: object) -> None:
    """Bound the answer to a request of botocore's; a handler of ``before-send``, in the thread that sends it."""
    listed = event_name.rpartition(".")[2] in _LISTS
    _bounds.set(CONTENT if request.stream_output else LIST if listed else SMALL)


class _Answer(io.RawIOBase):
    """What is received of one answer."""

    def __init__(self, sock: socket.socket, bounds: AnswerBounds) -> None:
        """Expect an answer on ``sock``, whose time-out is the call's."""
        super().__init__()
        self._sock, self._bounds = sock, bounds
        self._raw = cast("io.RawIOBase", sock.makefile("rb", 0))
        self._patience = self._timeout = sock.gettimeout() or math.inf
        self._left = self._patience  # seconds that may still be waited
        self._began = time.monotonic()
        self._received = 0
        self._most: float = bounds.most
        self._streamed = False

    def has_begun(self, status: int) -> None:
        """Begin to read what follows the head: content, of any size, from the server that is up to the call's time."""
        if self._bounds.content and status in _CONTENT:
            self._most, self._left, self._streamed = math.inf, self._patience, True

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Wait for bytes; raises AnswerTooSlow and AnswerTooLarge."""
        if self._left <= 0:
            raise self._too_slow()
        if self._left != self._timeout:
            self._sock.settimeout(self._left)
            self._timeout = self._left
        began = time.monotonic()
        try:
            count = self._raw.readinto(buffer) or 0
        except TimeoutError as error:
            raise self._too_slow() from error
        self._left -= time.monotonic() - began
        if self._streamed:
            self._left = min(self._patience, self._left + count / LEAST_RATE)
        self._received += count
        if self._received > self._most:
            msg = f"its answer is larger than {self._bounds.most // 1024} KiB, and was not read further"
            raise AnswerTooLarge(msg)
        return count

    def close(self) -> None:
        """Release the socket."""
        self._raw.close()
        super().close()

    def _too_slow(self) -> AnswerTooSlow:
        what = f"less than {LEAST_RATE} bytes a second came of its content" if self._streamed else "its answer is late"
        return AnswerTooSlow(f"{what}: {self._received} bytes in {time.monotonic() - self._began:.1f} s")


class _Socket:
    """A connected socket; what is received through its files is bounded."""

    def __init__(self, sock: socket.socket) -> None:
        """Bound what is received on ``sock``."""
        self._sock = sock
        self.answer: _Answer | None = None

    def makefile(self, _mode: str, buffering: int = io.DEFAULT_BUFFER_SIZE) -> io.RawIOBase | io.BufferedReader:
        """Return a file of the next answer, to read from."""
        self.answer = _Answer(self._sock, _bounds.get())
        return io.BufferedReader(self.answer, buffering) if buffering else self.answer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a socket has
        """Return what else the socket has."""
        return getattr(self._sock, name)


class _Connection(HTTPConnection):
    """A connection whose answers are bounded, that of a proxy to CONNECT too."""

    sock: Any

    def connect(self) -> None:
        """Connect, and bound what is received."""
        super().connect()
        self.sock = _Socket(self.sock)

    def getresponse(self) -> Any:  # noqa: ANN401  urllib3's
        """Receive the head of an answer."""
        sock = self.sock
        received = super().getresponse()
        sock.answer.has_begun(received.status)
        return received

    def _tunnel(self) -> None:
        connected, self.sock = self.sock, _Socket(self.sock)
        super()._tunnel()
        self.sock = connected

    def _consume_headers(self, file: io.RawIOBase) -> None:
        """Read to the end of the head of a 100 Continue; botocore's own does not end where the server hangs up."""
        while (line := file.readline()) != b"\r\n":
            if not line:
                msg = "the server hung up in its 100 Continue"
                raise ConnectionResetError(msg)


class _Http(_Connection, AWSHTTPConnection):  # type: ignore[misc]  # botocore's stubs are narrower than urllib3
    """One without TLS, for botocore's requests too."""


class _Https(_Connection, AWSHTTPSConnection):  # type: ignore[misc]  # as above
    """One with TLS, for botocore's requests too."""


class _HttpPool(AWSHTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS: Final = {"http": _HttpPool, "https": _HttpsPool}
#: what botocore and urllib3 raise an error of a connection from, or as
_WRAPPED: Final = (BotoCoreError, urllib3.exceptions.HTTPError, OSError)
