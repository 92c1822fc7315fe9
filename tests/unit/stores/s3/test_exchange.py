"""One request and its answer: what is understood, what closes the connection, and how long it may take."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from support.ports import free_ports
from support.raw_servers import HANG_UP, Act, Seen, authority, pieces, serving

from tierkeeper.stores.s3 import attempts
from tierkeeper.stores.s3.exchange import ExchangeBroken, HttpExchange, NotConnected, WholeAnswer, is_sendable
from tierkeeper_client import receiving_s3

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
BOUNDS = receiving_s3.AnswerBounds(1000)
MIB = 1024 * 1024


@contextmanager
def asking(*answers: bytes | Act, kept: int = 4, read_timeout: float = 0.5) -> Iterator[tuple[HttpExchange, Seen]]:
    """An exchange with a server that answers so."""
    with serving(*answers) as seen:
        exchange = made(seen.port, kept=kept, read_timeout=read_timeout)
        try:
            yield exchange, seen
        finally:
            exchange.close()


def made(
    port: int,
    scheme: str = "http",
    name: str = "127.0.0.1",
    *,
    kept: int = 4,
    read_timeout: float = 0.5,
    ca_bundle: str = "",
) -> HttpExchange:
    """An exchange with a server on a port of this machine."""
    place = f"{name}:{port}"
    return HttpExchange(scheme, place, kept=kept, connect_timeout=0.5, read_timeout=read_timeout, ca_bundle=ca_bundle)


def ask(exchange: HttpExchange, method: str = "PUT", body: bytes | io.BytesIO = b"") -> WholeAnswer:
    """One exchange."""
    length = len(body) if isinstance(body, bytes) else body.getbuffer().nbytes
    headers = {"host": "there", "x-one": "a b"} | ({} if method == "HEAD" else {"content-length": str(length)})
    return exchange.ask(method, "/bucket/key?query=", headers, body, length=length, bounds=BOUNDS)


@pytest.mark.parametrize(
    ("method", "answer", "data"),
    [
        ("PUT", OK, b"ok"),
        ("PUT", b"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", b""),
        ("PUT", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n" + OK, b"ok"),
        ("POST", _CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789"),
        ("POST", _CHUNKED + b"0\r\nETag: x\r\nB: c\r\n\r\n", b""),
        ("PUT", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nContent-Encoding: gzip\r\n\r\n", b""),
    ],
)  # fmt: skip
def test_what_is_understood(method: str, answer: bytes, data: bytes) -> None:
    """Answers with a length, in chunks or without a body are read to their end, and their connection is used again."""
    with asking(answer) as (exchange, seen):
        for _ in range(3):
            assert ask(exchange, method).data == data
        assert (seen.connections, len(seen.requests)) == (1, 3)


def test_what_is_sent() -> None:
    """The request is sent to the letter, its body from bytes or from a file; headers are read whatever their case."""
    large = bytes(range(256)) * 4096
    told = b"HTTP/1.1 299 Fine\r\nETag:\t x \r\nVia: a\r\nVIA: b\r\nContent-Length: 0\r\n\r\n"
    with asking(told) as (exchange, seen):
        for body in (b"small", large, io.BytesIO(large), io.BytesIO()):
            answer = ask(exchange, "PUT", body)
        assert (answer.status, answer.headers) == (299, {"etag": "x", "via": "a, b", "content-length": "0"})
        assert [body for _, body in seen.requests] == [b"small", large, large, b""]
        head = b"PUT /bucket/key?query= HTTP/1.1\r\naccept-encoding: identity\r\nhost: there\r\nx-one: a b\r\n"
        assert seen.requests[0][0] == head + b"content-length: 5"
        assert seen.connections == 1


def _once(answer: bytes, connection: socket.socket) -> None:
    connection.sendall(answer)  # and hangs up


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\n",  # bytes that belong to nothing are no part of the next answer
        OK.replace(b"200 OK", b"404 Not Found"),  # what was refused may not have been read
        partial(_once, b"HTTP/1.1 200 OK\r\n\r\nok"),  # it ends with its connection
    ],
)
def test_what_ends_a_connection(answer: bytes | Act) -> None:
    """A connection that the server is to close, or on which more came than was asked for, is not used again.

    The server leaves it open: one that is used again is answered.
    """
    with asking(answer) as (exchange, seen):
        assert [ask(exchange).data for _ in range(3)] == [b"ok"] * 3
        assert seen.connections == 3


def test_what_comes_unasked() -> None:
    """Bytes that come while nobody asks belong to nothing: they do not answer the next request."""

    def late(connection: socket.socket) -> None:
        connection.sendall(OK)
        time.sleep(0.05)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        time.sleep(1)

    with asking(late, OK) as (exchange, seen):
        ask(exchange)
        time.sleep(0.1)
        assert [ask(exchange).data for _ in range(3)] == [b"ok"] * 3
        assert seen.connections == 4  # a server that does so once is not believed to have done with an answer again


def test_a_body_behind_that_of_a_head() -> None:
    """What comes with an answer and is none of it makes its server one whose connections are not kept."""
    with asking(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + OK) as (exchange, seen):
        assert [ask(exchange, "HEAD").headers for _ in range(3)] == [{"content-length": "2"}] * 3
        assert seen.connections == 3


def test_what_was_cut_is_no_answer(tmp_path: Path) -> None:
    """An answer to the end of its connection is whole without TLS by its end alone, and by TLS's own end with it."""
    public, whole = authority(tmp_path, "127.0.0.1")

    def cut(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        socket.socket(fileno=connection.detach()).close()  # no end of TLS is told

    with serving(cut, tls=whole) as seen, pytest.raises(ExchangeBroken):
        ask(made(seen.port, "https", ca_bundle=str(public)))


def test_what_cannot_be_sent() -> None:
    """A header that would end its line is never sent: not by a request, nor by a credential."""
    with asking(OK) as (exchange, seen):
        for headers in ({"a": "b\r\nc: d"}, {"a\n": "b"}, {"a": "é"}):
            with pytest.raises(NotConnected):
                exchange.ask("PUT", "/", headers, b"", length=0, bounds=BOUNDS)
        with pytest.raises(NotConnected):
            exchange.ask("PUT", "/ HTTP/1.1\r\n", {}, b"", length=0, bounds=BOUNDS)
        assert not seen.connections


def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    """They are looked at when they are needed, and again when their file changes: boto3 says what is wrong."""
    public, whole = authority(tmp_path, "127.0.0.1")
    bundle = tmp_path / "bundle.pem"
    with serving(OK, tls=whole) as seen:
        exchange = made(seen.port, "https", ca_bundle=str(bundle))
        with pytest.raises(NotConnected):
            ask(exchange)
        bundle.write_text("no certificate")
        with pytest.raises(NotConnected):
            ask(exchange)
        bundle.write_bytes(public.read_bytes())
        assert ask(exchange).data == b"ok"
        exchange.close()


@pytest.mark.parametrize(
    "answer",
    [
        HANG_UP,
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 210 + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokXX0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK,
        b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
        b"<html>a page</html>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 2000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    ],
)  # fmt: skip
def test_what_is_not_understood(answer: bytes) -> None:
    """Whatever else comes raises at once, it may have been carried out, and its connection is closed."""
    then: list[bytes | Act] = [pieces(answer, pause=lambda: None) if answer else HANG_UP, OK]
    with asking(*then, read_timeout=5.0) as (exchange, seen):
        began = time.monotonic()
        with pytest.raises(ExchangeBroken) as caught:
            ask(exchange)
        assert time.monotonic() - began < 2
        assert not attempts.refuses(caught.value)
        assert ask(exchange).data == b"ok"
        assert seen.connections == 2


def test_the_bounds_of_an_answer_are_told() -> None:
    """What is too large or too late says so, as it does from urllib3."""
    for large in (b"Content-Length: 5000\r\n\r\n", b"A: " + b"x" * 2000):
        with asking(b"HTTP/1.1 200 OK\r\n" + large) as (exchange, _):
            with pytest.raises(ExchangeBroken) as caught:
                ask(exchange)
            assert "larger than" in str(receiving_s3.reason_of(caught.value))
    dripping = pieces(*[bytes([byte]) for byte in OK], pause=partial(time.sleep, 0.1))
    with asking(dripping, read_timeout=0.4) as (exchange, _):
        began = time.monotonic()
        with pytest.raises(ExchangeBroken) as caught:
            ask(exchange)
        assert time.monotonic() - began < 1
        assert "bytes in 0.4 s" in str(receiving_s3.reason_of(caught.value))


def test_the_seconds_of_one_answer() -> None:
    """A call that takes the server long has a time-out of its own."""
    slow = pieces(b"HTTP/1.1 200 OK\r\n", b"Content-Length: 0\r\n\r\n", pause=partial(time.sleep, 0.5))
    with asking(slow, read_timeout=0.2) as (exchange, _):
        with pytest.raises(ExchangeBroken):
            ask(exchange)
        answer = exchange.ask("PUT", "/", {"host": "x"}, b"", length=0, bounds=BOUNDS, seconds=5.0)
        assert answer.status == 200


def test_a_refusal_before_the_request_was_sent() -> None:
    """A server that answers and hangs up while a body is sent is heard; a success then is none."""

    def early(answer: bytes, connection: socket.socket) -> None:
        connection.sendall(answer)
        time.sleep(0.2)  # then it hangs up, whatever still comes

    denied = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    with asking(partial(early, denied), partial(early, OK), read_timeout=5.0) as (exchange, seen):
        assert ask(exchange, body=io.BytesIO(bytes(16 * MIB))).status == 403
        with pytest.raises(ExchangeBroken, match="before the request was sent"):
            ask(exchange, body=io.BytesIO(bytes(16 * MIB)))
        assert seen.connections == 2


class Short(io.BytesIO):
    """Content that ends before its length."""

    def read(self, size: int | None = -1, /) -> bytes:
        return b"" if self.tell() else super().read(size)


class Failing(io.BytesIO):
    """Content that cannot be read."""

    def __init__(self, size: int, error: Exception) -> None:
        super().__init__(bytes(size))
        self.error = error

    def read(self, _size: int | None = -1, /) -> bytes:
        raise self.error


def test_content_that_is_not_there() -> None:
    """Content that ends early, or cannot be read, leaves a connection with half a request: it is closed."""
    with asking(OK) as (exchange, seen):
        with pytest.raises(ExchangeBroken, match="ended"):
            ask(exchange, body=Short(bytes(MIB)))
        for error in (LookupError("its own"), BrokenPipeError("of the content"), OSError("of a disk")):
            with pytest.raises(type(error), match=str(error)):
                ask(exchange, body=Failing(MIB, error))
        assert ask(exchange).data == b"ok"
        assert seen.connections == 5


def test_a_connection_that_the_server_closed_meanwhile() -> None:
    """It is seen before the request is sent."""

    def once(connection: socket.socket) -> None:
        connection.sendall(OK)

    with asking(once, OK) as (exchange, seen):
        ask(exchange)
        time.sleep(0.1)
        assert ask(exchange).data == b"ok"
        assert seen.connections == 2


def test_a_connection_that_was_unused_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall may have dropped it without a word."""
    with asking(OK) as (exchange, seen):
        ask(exchange)
        later = time.monotonic() + 16
        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", lambda: later)
            ask(exchange)
        assert seen.connections == 2


def test_many_threads() -> None:
    """Each has a connection of its own, no more of them stay open than are kept, and none after the end."""
    with asking(OK, kept=2) as (exchange, seen):
        together = threading.Barrier(6)

        def one(number: int) -> bytes:
            together.wait()
            return b"".join(ask(exchange, body=b"%d" % number).data for _ in range(20))

        with ThreadPoolExecutor(6) as threads:
            assert list(threads.map(one, range(6))) == [b"ok" * 20] * 6
        assert len(exchange._idle) == 2
        made_for_them = seen.connections
        ask(exchange)
        assert seen.connections == made_for_them
        exchange.close()
        assert not exchange._idle
        ask(exchange)
        assert not exchange._idle


def test_nobody_is_there() -> None:
    """What was never sent is refused for certain: of a closed port, and of a name that is none."""
    (port,) = free_ports(1)
    for name in ("127.0.0.1", "x" * 64 + ".invalid"):
        with pytest.raises(NotConnected) as caught:
            ask(made(port, name=name))
        assert attempts.refuses(caught.value)


def test_tls(tmp_path: Path) -> None:
    """The server's certificate is checked, its name too; connections are kept as without TLS."""
    public, whole = authority(tmp_path, "127.0.0.1")
    other, of_another = authority(tmp_path, "localhost")
    body = bytes(range(256)) * 4096
    with serving(OK, tls=whole) as seen:
        exchange = made(seen.port, "https", ca_bundle=str(public))
        assert [ask(exchange, body=body).data for _ in range(3)] == [b"ok"] * 3
        assert (seen.connections, seen.requests[-1][1]) == (1, body)
        exchange.close()
        with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
            ask(made(seen.port, "https", ca_bundle=str(other)))
    with serving(OK, tls=of_another) as seen, pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
        ask(made(seen.port, "https", ca_bundle=str(other)))
    assert not seen.requests


def test_a_handshake_that_takes_for_ever(tmp_path: Path) -> None:
    """A server that drips, or says nothing, in the handshake is not waited for longer than one that is not there."""
    public, _ = authority(tmp_path, "127.0.0.1")

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")
        for _ in range(100):
            time.sleep(0.1)
            connection.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(NotConnected, match="took too long"):
            ask(made(port, "https", ca_bundle=str(public)))
        first, _ = server.accept()
        thread = threading.Thread(target=lambda: _quietly(drip, server.accept()[0]), daemon=True)
        thread.start()
        with pytest.raises(NotConnected, match="took too long"):
            ask(made(port, "https", ca_bundle=str(public)))
        assert time.monotonic() - began < 2
        first.close()
        thread.join()


def _quietly(act: Act, connection: socket.socket) -> None:
    with connection:
        try:
            act(connection)
        except OSError:
            return


def test_what_a_header_may_have() -> None:
    """Nothing that ends a line, or that servers read in different ways."""
    assert is_sendable("a b\tc~")
    assert not any(is_sendable(value) for value in ("a\r\nb", "a\nb", "a\0", "é", "\x7f"))
