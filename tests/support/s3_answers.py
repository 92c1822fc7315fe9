"""Servers that give an S3 client the answers they are told to, and the keys that stand in the URLs of tiers on them."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

KEYS = "access_key=testing&secret_key=testing"


def answering(*answers: bytes) -> type[socketserver.StreamRequestHandler]:
    """A handler that gives each connection's first request one of ``answers`` in turn, and hangs up."""
    left = list(answers)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(left.pop(0) if len(left) > 1 else left[0])

    return Handler


@contextmanager
def serving(handler: type[socketserver.StreamRequestHandler]) -> Iterator[str]:
    """The query of a tier on a server that answers with ``handler``."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"endpoint=http://127.0.0.1:{server.server_address[1]}&{KEYS}&attempts=1&read_timeout=500ms"
        finally:
            server.shutdown()
            thread.join()


def answer(status: str, body: str = "", **headers: str) -> bytes:
    """An HTTP answer."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nConnection: close\r\n{named}\r\n{body}".encode()
