"""An HTTP server before an S3 server that answers some calls with 200 and a page of its own, as proxies do."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl

from support import s3_front
from support.s3_front import Answer, Request

HTML = b"<html><body>Please sign in</body></html>"
EMPTY = b""
_BY_WORD = {
    "list-type": "list",
    "versions": "versions",
    "uploads": "uploads",
    "versioning": "versioning",
    "object-lock": "object lock",
    "retention": "retention",
    "legal-hold": "legal hold",
    "delete": "bulk delete",
}


@dataclass(slots=True)
class Paging(s3_front.Front):
    """Answers each call in ``pages`` with 200 and that page; of ``after`` only once the server behind carried it out.

    A page may be a function of how many of these calls there were. ``lacks``: calls that get 501.
    """

    pages: dict[str, bytes | Callable[[int], bytes]] = field(default_factory=dict)
    after: set[str] = field(default_factory=set)
    lacks: set[str] = field(default_factory=set)

    def instead(self, request: Request) -> Answer | None:
        """Answer with the call's page, if it has one."""
        named = called(request)
        if named in self.lacks:
            return s3_front.error(501, "NotImplemented")
        if named not in self.pages:
            return None
        if named in self.after:
            request._forward()
        with self.lock:
            self.met[named] += 1
            times = self.met[named]
        page = self.pages[named]
        return Answer(200, [("content-type", "text/html")], page(times) if callable(page) else page)


def called(request: Request) -> str:
    """Return the name of a call in these tests; its method and ``object`` where it is about one."""
    words = [word for word, _ in parse_qsl(request.words, keep_blank_values=True)]
    if "uploadId" in words:
        return {"DELETE": "abort", "GET": "parts"}.get(request.command, "part")
    named = next((name for word, name in _BY_WORD.items() if word in words), f"{request.command} object")
    return f"put {named}" if request.command == "PUT" and named in _BY_WORD.values() else named


@contextmanager
def before(endpoint: str) -> Iterator[Paging]:
    """Stand before the server at ``endpoint``; every answer is its own yet."""
    chance = random.Random(0)  # noqa: S311  no secret
    with s3_front.in_front_of(endpoint, chance, patience=5, kind=Paging) as made:
        yield cast("Paging", made)
