"""Servers whose answers do not end in time: they come byte by byte, or without end."""

import contextlib
import http.client
import socketserver
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from support import s3_answers

LONGEST = 5  # seconds for which an answer goes on where its client does not hang up; no test waits for so long
MOST = 64 * 1024 * 1024  # bytes of it
_CHUNKED = 'Transfer-Encoding: chunked\r\nETag: "e"\r\nLast-Modified: Mon, 30 Nov 2026 07:00:00 GMT\r\n\r\n'


@dataclass(frozen=True, slots=True)
class Endless:
    """An answer: how it begins, the piece that it goes on with, and the seconds between two of them."""

    begin: str
    piece: bytes
    pause: float = 0.0

    def pieces(self) -> Iterator[bytes]:
        """Yield it, piece by piece."""
        yield self.begin.encode()
        sent, until = 0, time.monotonic() + LONGEST
        while sent < MOST and time.monotonic() < until:
            yield self.piece
            sent += len(self.piece)
            time.sleep(self.pause)


def chunk(content: bytes) -> bytes:
    """Return a chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(content), content)


HEAD = Endless("HTTP/1.1 200 OK\r\nX-Drip: ", b"x", 0.02)
BODY = Endless(f"HTTP/1.1 200 OK\r\n{_CHUNKED}", chunk(b"x"), 0.02)
CONTINUED = Endless("", b"HTTP/1.1 100 Continue\r\n\r\n" * 64)
LARGE = Endless(f"HTTP/1.1 200 OK\r\n{_CHUNKED}", chunk(bytes(64 * 1024)))
LARGE_ERROR = Endless(f"HTTP/1.1 400 Bad Request\r\n{_CHUNKED}", chunk(bytes(64 * 1024)))


@contextmanager
def serving(answer: Endless | Sequence[bytes], *, pause: float = 0.0) -> Iterator[str]:
    """The query of a tier on a server that answers every request so, or with these pieces; then it hangs up.

    The body of a request that waits for 100 Continue is left unread.
    """

    class Handler(socketserver.StreamRequestHandler):
        timeout = LONGEST  # of a write to a client that reads no further

        def handle(self) -> None:
            self.rfile.readline()
            asked = http.client.parse_headers(self.rfile)
            if "expect" not in asked:
                self.rfile.read(int(asked.get("content-length") or 0))
            with contextlib.suppress(OSError):  # its client hangs up
                for piece in answer.pieces() if isinstance(answer, Endless) else answer:
                    self.wfile.write(piece)
                    time.sleep(pause)

    with s3_answers.serving(Handler) as query:
        yield query.removesuffix("&read_timeout=500ms")
