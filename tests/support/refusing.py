"""An HTTP server before an S3 server that refuses some calls, as servers do that lack them or forbid them."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from support import s3_front
from support.s3_front import Answer, Request


@dataclass(slots=True)
class Refusing(s3_front.Front):
    """Answers each call in ``refused`` with its status and code; ``asked`` counts all calls that have a name here.

    ``redirects_to``: it answers everything with 301 to there, empty for one that does not say where.
    """

    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    redirects_to: str | None = None

    def instead(self, request: Request) -> Answer | None:
        """Refuse the call, if it is to be refused."""
        if self.redirects_to is not None:
            return Answer(301, [("location", self.redirects_to)] if self.redirects_to else [], b"")
        named = called(request)
        with self.lock:
            self.asked[named] += 1
        return s3_front.error(*self.refused[named]) if named in self.refused else None


def called(request: Request) -> str:
    """Return the name of a call in these tests."""
    words = request.words
    match request.command:
        case "POST" if words.startswith("delete"):
            return "bulk delete"
        case "GET" if "uploads" in words.split("=")[0]:
            return "list uploads"
        case "GET" if "list-type" in words:
            return "list"
        case "DELETE" if "uploadId" not in words:
            return "delete"
        case other:
            return other


@contextmanager
def refusing(endpoint: str) -> Iterator[Refusing]:
    """Stand before the server at ``endpoint``; refuse nothing yet."""
    chance = random.Random(0)  # noqa: S311  no secret
    with s3_front.in_front_of(endpoint, chance, patience=5, kind=Refusing) as found:
        yield cast("Refusing", found)
