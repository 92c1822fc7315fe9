"""One HTTP/1.1 request and its answer on a kept connection: what the signed client needs of HTTP, and no more.

urllib3 and http.client take most of the CPU of a small call (decision 9). This sends a request whose length is known,
and reads an answer with a length or in chunks, over TCP or TLS (RFC 9112). Whatever else comes closes the connection
and raises: another framing, a folded header, bytes behind an answer, an end in its middle. boto3, which makes the call
again, decides what that is.

To connect, the handshake included, has one time-out, each block that is sent another, and all waits for one answer, its
head included, a third; its size is bounded (:mod:`tierkeeper_client.receiving_s3`).
"""

import re
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Final
from urllib.parse import urlsplit

from tierkeeper_client.receiving_s3 import AnswerBounds, AnswerTooLarge, AnswerTooSlow

#: seconds after which a connection that nobody used is not used again: servers and firewalls drop those
_IDLE: Final = 15.0
_BLOCK: Final = 256 * 1024  # bytes of a file that are sent at a time
_SHORT: Final = 64 * 1024  # bytes of a body that is sent together with the head
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
        self._tls = ssl.create_default_context(cafile=ca_bundle) if scheme == "https" else None
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._idle: deque[_KeptConnection] = deque(maxlen=None)
        self._kept = kept

    def close(self) -> None:
        """Close the connections; those in use are closed once their answers are there."""
        self._kept = 0
        while self._idle:
            self._idle.pop().close()

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
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{method} {target} HTTP/1.1\r\naccept-encoding: identity\r\n{lines}\r\n".encode("ascii")
        connection = self._taken()
        keep = False
        try:
            whole = connection.send(head, body, length, seconds=self._read_timeout)
            reading = _Reading(connection.socket, bounds, self._read_timeout if seconds is None else seconds)
            answer, keep = reading.answer(method)
            if not whole:
                keep = False
                if answer.status < HTTPStatus.MULTIPLE_CHOICES:
                    raise ExchangeBroken("a success was answered before the request was sent")
        except OSError as error:
            raise error if isinstance(error, ExchangeBroken) else ExchangeBroken(str(error)) from error
        finally:
            if keep and len(self._idle) < self._kept:
                connection.since = time.monotonic()
                self._idle.append(connection)
            else:
                connection.close()
        return answer

    def _taken(self) -> "_KeptConnection":
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if connection.is_usable():
                return connection
            connection.close()
        return self._connected()

    def _connected(self) -> "_KeptConnection":
        try:
            opened = socket.create_connection((self._name, self._port), timeout=self._connect_timeout)
        except (OSError, UnicodeError) as error:  # the latter of a name that is none
            raise NotConnected(f"{self._name}:{self._port}: {error}") from error
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _KeptConnection(opened if self._tls is None else self._secured(opened, self._tls))
        except OSError as error:
            opened.close()
            raise NotConnected(f"{self._name}:{self._port}: {error}") from error

    def _secured(self, opened: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
        """Shake hands, within one time-out however slowly the other side does."""
        end = time.monotonic() + self._connect_timeout
        opened.setblocking(False)
        secured = tls.wrap_socket(opened, server_hostname=self._name, do_handshake_on_connect=False)
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

    def send(self, head: bytes, body: bytes | BinaryIO, length: int, *, seconds: float) -> bool:
        """Send a request; return False where the server took no more of it: it may have answered before."""
        self.socket.settimeout(seconds)
        try:
            if isinstance(body, bytes):
                if length <= _SHORT:
                    self.socket.sendall(head + body)
                else:
                    self.socket.sendall(head)
                    self.socket.sendall(body)
                return True
            self.socket.sendall(head)
            left = length
            while left:
                piece = body.read(min(_BLOCK, left))
                if not piece:
                    raise ExchangeBroken(f"the content ended {left} bytes before its length")
                self.socket.sendall(piece)
                left -= len(piece)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True


class _Reading:
    """The reading of one answer; all its waits together take at most ``seconds``."""

    __slots__ = ("_began", "_bounds", "_buffer", "_left", "_received", "_socket")

    def __init__(self, connected: socket.socket, bounds: AnswerBounds, seconds: float) -> None:
        self._socket, self._bounds, self._left = connected, bounds, seconds
        self._buffer = bytearray()
        self._received = 0
        self._began = time.monotonic()

    def answer(self, method: str) -> tuple[WholeAnswer, bool]:
        """Return the answer, and True if the connection may be used again."""
        minor, status, headers = self._head()
        while status < HTTPStatus.OK:
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise _odd("it switches to another protocol")
            minor, status, headers = self._head()
        data = b"" if method == "HEAD" or status in _BODILESS else self._body(headers)
        closing = {word.strip().lower() for word in headers.get("connection", "").split(",")}
        return WholeAnswer(status, headers, data), minor == _NEWER and "close" not in closing and not self._buffer

    def _head(self) -> tuple[str, int, dict[str, str]]:
        head = self._until(_END + _END).decode("latin-1")
        first, *lines = head.split("\r\n")
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
        if length is None or not _LENGTH.fullmatch(length):
            raise _odd("where it ends is not known")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        chunks = []
        while True:
            size = _CHUNK.fullmatch(self._until(_END))
            if size is None:
                raise _odd("a chunk has no length")
            length = int(size[1], 16)
            if not length:
                break
            chunks.append(self._exactly(length))
            if self._exactly(len(_END)) != _END:
                raise _odd("a chunk does not end")
        while self._until(_END):  # trailers, of which none is used
            pass
        return b"".join(chunks)

    def _until(self, end: bytes) -> bytes:
        """Return what comes before ``end``, and take both."""
        begin = 0
        while (at := self._buffer.find(end, begin)) < 0:
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

    def _receive(self) -> None:
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
            raise _odd("it ended in its middle" if self._received else "it never came")
        self._received += len(piece)
        if self._received > self._bounds.most:
            raise self._too_large()
        self._buffer += piece

    def _too_slow(self) -> AnswerTooSlow:
        seconds = time.monotonic() - self._began
        return AnswerTooSlow(f"its answer is late: {self._received} bytes in {seconds:.1f} s")

    def _too_large(self) -> AnswerTooLarge:
        return AnswerTooLarge(f"its answer is larger than {self._bounds.most // 1024} KiB, and was not read further")


def _odd(what: str) -> ExchangeBroken:
    return ExchangeBroken(f"its answer: {what}")


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
