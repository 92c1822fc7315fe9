"""A package index on this machine: some of the lock's wheels, and a record of who asked for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from packaging.utils import parse_wheel_filename


class Index:
    """Serves the wheels of a folder at ``url``; ``asked_by`` has the first word of every client's name."""

    def __init__(self, folder: Path) -> None:
        self.files = {path.name: path for path in folder.glob("*.whl")}
        self.asked_by: set[str] = set()
        self.url = ""

    def answer(self, path: str) -> bytes | None:
        """Return a project's page, or a file; None for what there is not."""
        kind, _, name = path.strip("/").partition("/")
        if kind == "files":
            return self.files[name].read_bytes() if name in self.files else None
        found = [file for file in self.files if kind == "simple" and parse_wheel_filename(file)[0] == name]
        links = "".join(f'<a href="/files/{file}">{file}</a>\n' for file in found)
        return f"<!DOCTYPE html><html><body>\n{links}</body></html>".encode() if found else None


@contextmanager
def serving(folder: Path) -> Iterator[Index]:
    """Serve the wheels of a folder until the block ends."""
    index = Index(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            index.asked_by.add(self.headers.get("User-Agent", "").partition("/")[0])
            body = index.answer(self.path)
            self.send_response(HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK)
            if self.path.startswith("/simple"):
                self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the standard library
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
