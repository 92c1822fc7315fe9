"""A server that tells no checksums, before one that does."""

import random
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from support import s3_front
from support.s3_front import Answer, Front, Request

_CHECKSUM = re.compile(rb"<Checksum(\w+)>[^<]*</Checksum\1>")
_CONDITION, _SOURCE = "x-amz-copy-source-if-match", "x-amz-copy-source"


class PlainFront(Front):
    """A server without checksums; it asks the condition of a copy if it ``asks``."""

    asks = True
    tells_etags = True
    weakens = False  # as a proxy that compresses does

    def instead(self, request: Request) -> Answer | None:
        """Refuse the copy of another ETag; count the requests by their methods."""
        self.met[request.command] += 1
        wanted = request.headers[_CONDITION]
        if wanted is None or not self.asks:
            return None
        url = f"http://{self.behind[0]}:{self.behind[1]}/{request.headers[_SOURCE].lstrip('/')}"
        who = {"authorization": request.headers["authorization"]}  # which moto wants to see, and does not check
        with urllib.request.urlopen(urllib.request.Request(url, headers=who, method="HEAD")) as there:
            return None if there.headers["etag"] == wanted else s3_front.error(412, "PreconditionFailed")

    def passed(self, answer: Answer) -> Answer:
        """Leave the checksums out."""
        left_out = ("x-amz-checksum",) if self.tells_etags else ("x-amz-checksum", "etag")
        headers = [(name, value) for name, value in answer.headers if not name.lower().startswith(left_out)]
        if self.weakens:
            headers = [(name, f"W/{value}" if name.lower() == "etag" else value) for name, value in headers]
        return Answer(answer.status, headers, _CHECKSUM.sub(b"", answer.body))


@contextmanager
def before(endpoint: str) -> Iterator[PlainFront]:
    """Such a server before the one at ``endpoint``."""
    no_chance = random.Random(1)  # noqa: S311  it decides nothing here
    with s3_front.in_front_of(endpoint, no_chance, patience=2, kind=PlainFront) as made:
        yield cast("PlainFront", made)
