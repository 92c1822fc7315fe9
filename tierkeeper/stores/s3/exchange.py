"""One HTTP/1.1 request and its answer on a kept connection: what the signed client needs of HTTP, and no more.

urllib3 and http.client take most of the CPU of a small call (decision 9). This sends a request whose length is known,
and reads an answer with a length, in chunks, or to the end of its connection, over TCP or TLS (RFC 9112). Whatever else
comes closes the connection and raises: another framing, a folded header, an end in its middle.

A connection is kept behind a success alone: a server may read the body of a request that it refused as the next one.
Bytes that belong to no answer, such as a body behind that of a HEAD, would be the head of the next one: a server that
was caught sending some gets a new connection for each request from then on.

To connect to an address has a time-out, and so has the TLS handshake, each block that is sent, and all waits for one
answer together, its head included; its size is bounded (:mod:`tierkeeper_client.receiving_s3`).
"""

import re
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urlsplit

from tierkeeper.base import log
from tierkeeper_client.receiving_s3 import AnswerBounds, AnswerTooLarge, AnswerTooSlow

_log = log.get(__name__)
#: seconds after which a connection that nobody used is not used again: servers and firewalls drop those
_IDLE: Final = 15.0
_BLOCK: Final = 256 * 1024  # bytes of a file that are sent at a time
_SHORT: Final = 64 * 1024  # bytes of a body that is sent together with the head
_MOST_HEAD: Final = 64 * 1024  # bytes of an answer's head
_MOST_FIELDS: Final = 200  # headers of one
_PIECE: Final = 64 * 1024  # bytes that are received at a time
_PORTS: Final = {"http": 80, "https": 443}
_END: Final = b"\r\n"
_STATUS: Final = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?")
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?")
_UNSENDABLE: Final = re.compile(r"[^\t\x20-\x7e]")
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_NEWER: Final = "1"  # the minor version of a server that keeps connections


class NotConnected(ConnectionError):  # noqa: N818  what happened, as the ones below
    """The server was not reached: nothing of the request was sent."""


class ExchangeBroken(ConnectionError):  # noqa: N818
    """The request may have been carried out, but its answer did not come, or is none that is understood here."""


class NotUnderstood(ExchangeBroken):
    """The answer came, and is of a form that is not known here."""


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """A whole answer. Names of ``headers`` are in lower case; one that is repeated has its values, joined by commas."""

    status: int
    headers: Mapping[str, str]
    data: bytes


def is_sendable(value: str) -> bool:
    """Return True if a header may have this value: printable ASCII."""
    return not _UNSENDABLE.search(value)


class HttpExchange:
    """Exchanges with one host. Safe to use from many threads: each takes a connection, ``kept`` of them stay open.

    ``place``: the host and its port; ``ca_bundle``: the file of the authorities that are trusted. Times in seconds.
    """

    def __init__(
        self, scheme: str, place: str, *, kept: int, connect_timeout: float, read_timeout: float, ca_bundle: str
    ) -> None:
        parts = urlsplit(f"//{place}")
        self._name, self._port = parts.hostname or "", parts.port or _PORTS[scheme]
        self._authorities = _Authorities(ca_bundle) if scheme == "https" else None
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._lock = threading.Lock()
        self._idle: deque[_KeptConnection] = deque()
        self._kept = kept

    def close(self) -> None:
        """Close the connections; those in use are closed once their answers are there."""
        with self._lock:
            self._kept, gone = 0, list(self._idle)
            self._idle.clear()
        for connection in gone:
            connection.close()

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | BinaryIO,
        *,
        length: int,
        bounds: AnswerBounds,
        seconds: float | None = None,
    ) -> WholeAnswer:
        """Send a request and return its answer; raises NotConnected, ExchangeBroken, and what reading ``body`` raises.

        ``length``: of the body, in bytes; ``headers`` are sent as they are (:func:`is_sendable`); ``seconds``: for the
        answer, instead of the usual time-out.
        """
        if not all(map(is_sendable, [method, target, *headers, *headers.values()])):
            msg = "a header cannot be sent"
            raise NotConnected(msg)
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{method} {target} HTTP/1.1\r\naccept-encoding: identity\r\n{lines}\r\n".encode("ascii")
        connection = self._taken()
        keep = False
        try:
            whole = connection.send(head, body, length, seconds=self._read_timeout)
            with _translated():
                reading = _Reading(connection.socket, bounds, self._read_timeout if seconds is None else seconds)
                answer, keep = reading.answer(method)
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                keep = False
            elif not whole:
                keep = False
                raise ExchangeBroken("a success was answered before the request was sent")
            if reading.has_more:
                self._distrust()
        finally:
            if not (keep and self._keep(connection)):
                connection.close()
        return answer

    def _keep(self, connection: "_KeptConnection") -> bool:
        """Keep a connection for the next request, unless enough are; close those that nobody used for long."""
        connection.since = time.monotonic()
        old = []
        with self._lock:
            while self._idle and connection.since - self._idle[0].since > _IDLE:
                old.append(self._idle.popleft())
            kept = len(self._idle) < self._kept
            if kept:
                self._idle.append(connection)
        for each in old:
            each.close()
        return kept

    def _distrust(self) -> None:
        """Keep no connection any more: this server sends what nobody asked for."""
        if self._kept:
            _log.warning("a server sends bytes that belong to no answer: its connections are not kept", host=self._name)
        self.close()

    def _taken(self) -> "_KeptConnection":
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._connected()
            if connection.is_usable():
                return connection
            if connection.has_bytes():
                self._distrust()
            connection.close()

    def _connected(self) -> "_KeptConnection":
        try:
            opened = socket.create_connection((self._name, self._port), timeout=self._connect_timeout)
        except (OSError, UnicodeError) as error:  # the latter of a name that is none
            raise NotConnected(f"{self._name}:{self._port}: {error}") from error
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = opened if self._authorities is None else self._secured(opened, self._authorities.context())
        except (OSError, ValueError) as error:  # the latter of a name that TLS cannot ask for
            opened.close()
            raise NotConnected(f"{self._name}:{self._port}: {error}") from error
        return _KeptConnection(secured)

    def _secured(self, opened: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
        """Shake hands, within one time-out however slowly the other side does."""
        end = time.monotonic() + self._connect_timeout
        opened.setblocking(False)
        secured = tls.wrap_socket(
            opened,
            server_hostname=self._name.rstrip("."),
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # what is read to its end may not be cut
        )
        try:
            while (event := _next_wait(secured)) is not None:
                _wait(secured, event, end - time.monotonic())
        except BaseException:
            secured.close()
            raise
        return secured


class _KeptConnection:
    """A connection on which no exchange is under way; ``since``: when the last one ended (``time.monotonic``)."""

    __slots__ = ("since", "socket")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.since = 0.0

    def close(self) -> None:
        self.socket.close()

    def is_usable(self) -> bool:
        """Return True unless it was unused for long, was closed by the server, or has bytes that belong to nothing."""
        return time.monotonic() - self.since < _IDLE and not _waited(self.socket, select.POLLIN, 0.0)

    def has_bytes(self) -> bool:
        """Return True if something came on it that nobody asked for, and not its end."""
        try:
            self.socket.settimeout(0)
            return bool(self.socket.recv(1))
        except OSError:  # nothing but records of TLS, or its end
            return False

    def send(self, head: bytes, body: bytes | BinaryIO, length: int, *, seconds: float) -> bool:
        """Send a request; return False where the server took no more of it: it may have answered before.

        Raises ExchangeBroken, and what reading ``body`` raises.
        """
        self.socket.settimeout(seconds)
        if isinstance(body, bytes):
            blocks: Iterable[bytes] = [head + body] if length <= _SHORT else [head, body]
        else:
            blocks = chain([head], _blocks(body, length))
        for block in blocks:
            with _translated():
                try:
                    self.socket.sendall(block)
                except (BrokenPipeError, ConnectionResetError):
                    return False
        return True


def _blocks(body: BinaryIO, length: int) -> Iterator[bytes]:
    left = length
    while left:
        block = body.read(min(_BLOCK, left))
        if not block or len(block) > left:
            raise ExchangeBroken(f"the content ended {left} bytes before its length, or beyond it")
        yield block
        left -= len(block)


class _Authorities:
    """The authorities that are trusted, read again where their file changed."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._read: tuple[tuple[int, int], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context of new connections; raises OSError where the file cannot be read."""
        status = Path(self._file).stat()
        version = (status.st_mtime_ns, status.st_size)
        if self._read is None or self._read[0] != version:
            made = ssl.create_default_context(cafile=self._file)
            made.hostname_checks_common_name = False
            made.set_alpn_protocols(["http/1.1"])
            self._read = (version, made)
        return self._read[1]


class _Reading:
    """The reading of one answer; all its waits together take at most ``seconds``."""

    __slots__ = ("_began", "_bounds", "_buffer", "_ended", "_left", "_received", "_socket")

    def __init__(self, connected: socket.socket, bounds: AnswerBounds, seconds: float) -> None:
        self._socket, self._bounds, self._left = connected, bounds, seconds
        self._buffer = bytearray()
        self._received = 0
        self._ended = False  # the connection, and by that the answer
        self._began = time.monotonic()

    def answer(self, method: str) -> tuple[WholeAnswer, bool]:
        """Return the answer, and True if the connection may be used again."""
        minor, status, headers = self._head()
        while status < HTTPStatus.OK:
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise _odd("it switches to another protocol")
            minor, status, headers = self._head()
        bodiless = method == "HEAD" or status in _BODILESS
        data = b"" if bodiless else self._body(headers)
        closing = {word.strip().lower() for word in headers.get("connection", "").split(",")}
        keep = minor == _NEWER and "close" not in closing and not self._ended
        if status in _BODILESS and headers.get("content-length", "0") != "0":
            keep = False  # it may send the body that it announces
        return WholeAnswer(status, headers, data), keep

    @property
    def has_more(self) -> bool:
        """Whether more came than the answer."""
        return bool(self._buffer)

    def _head(self) -> tuple[str, int, dict[str, str]]:
        head = self._until(_END + _END, most=_MOST_HEAD).decode("latin-1")
        first, *lines = head.split("\r\n")
        if len(lines) > _MOST_FIELDS:
            raise _odd("it has too many headers")
        status = _STATUS.fullmatch(first)
        if status is None:
            raise _odd("it begins with no status line")
        headers: dict[str, str] = {}
        for line in lines:
            field = _FIELD.fullmatch(line)
            if field is None:
                raise _odd("a header is not of the usual form")
            name, value = field[1].lower(), field[2].strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return status[1], int(status[2]), headers

    def _body(self, headers: Mapping[str, str]) -> bytes:
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if headers.get("content-encoding", "identity") != "identity":
            raise _odd("its content is encoded")
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise _odd("where it ends is not known")
            return self._chunks()
        if length is None:
            return self._to_end()
        if not _LENGTH.fullmatch(length):
            raise _odd("where it ends is not known")
        return self._exactly(int(length))

    def _to_end(self) -> bytes:
        """Return all that comes until the server closes the connection; TLS tells where it was cut."""
        while self._receive(last=True):
            pass
        self._ended = True
        taken = bytes(self._buffer)
        self._buffer.clear()
        return taken

    def _chunks(self) -> bytes:
        chunks = bytearray()
        while True:
            size = _CHUNK.fullmatch(self._until(_END))
            if size is None:
                raise _odd("a chunk has no length")
            length = int(size[1], 16)
            if not length:
                break
            chunks += self._exactly(length)
            if self._exactly(len(_END)) != _END:
                raise _odd("a chunk does not end")
        while self._until(_END):  # trailers, of which none is used
            pass
        return bytes(chunks)

    def _until(self, end: bytes, *, most: int = _MOST_HEAD) -> bytes:
        """Return what comes before ``end``, at most so many bytes, and take both."""
        begin = 0
        while (at := self._buffer.find(end, begin)) < 0:
            if len(self._buffer) > most:
                raise self._too_large()
            begin = max(0, len(self._buffer) - len(end) + 1)
            self._receive()
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return taken

    def _exactly(self, size: int) -> bytes:
        if size > self._bounds.most:
            raise self._too_large()
        while len(self._buffer) < size:
            self._receive()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _receive(self, *, last: bool = False) -> bool:
        """Receive something; return False at the end of the connection, which is one of the answer too if ``last``."""
        began = time.monotonic()
        if self._left <= 0:
            raise self._too_slow()
        self._socket.settimeout(self._left)
        try:
            piece = self._socket.recv(_PIECE)
        except TimeoutError as error:
            raise self._too_slow() from error
        self._left -= time.monotonic() - began
        if not piece:
            if last:
                return False
            raise ExchangeBroken("its answer ended in its middle" if self._received else "its answer never came")
        self._received += len(piece)
        if self._received > self._bounds.most:
            raise self._too_large()
        self._buffer += piece
        return True

    def _too_slow(self) -> AnswerTooSlow:
        seconds = time.monotonic() - self._began
        return AnswerTooSlow(f"its answer is late: {self._received} bytes in {seconds:.1f} s")

    def _too_large(self) -> AnswerTooLarge:
        return AnswerTooLarge(f"its answer is larger than {self._bounds.most // 1024} KiB, and was not read further")


def _odd(what: str) -> NotUnderstood:
    return NotUnderstood(f"its answer is not understood: {what}")


@contextmanager
def _translated() -> Iterator[None]:
    """Raise ExchangeBroken for what the connection raises."""
    try:
        yield
    except ExchangeBroken:
        raise
    except OSError as error:
        raise ExchangeBroken(str(error)) from error


def _next_wait(secured: ssl.SSLSocket) -> int | None:
    """Go on with the handshake; return the event that it waits for, None once it is done."""
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return select.POLLIN
    except ssl.SSLWantWriteError:
        return select.POLLOUT
    return None


def _wait(connected: socket.socket, event: int, seconds: float) -> None:
    if not _waited(connected, event, seconds):
        msg = "the TLS handshake took too long"
        raise TimeoutError(msg)


def _waited(connected: socket.socket, event: int, seconds: float) -> bool:
    """Wait for an event on a socket, at most ``seconds``; return False if it did not come."""
    poll = select.poll()
    poll.register(connected, event)
    return bool(poll.poll(max(0.0, seconds) * 1000))
