"""Signs messages, so that a worker with keys can refuse messages that others wrote into the broker.

HMAC-SHA256 over the key id, the time, the headers in :data:`COVERED`, and the bytes of the body as they are sent:
no message is parsed before its signature is verified. The value of the header ``tierkeeper_mac`` is
``1:KEY ID:UNIX TIME:HEX``.

Pure: ``signing`` adds the header to messages, the worker's consumer verifies it.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from tierkeeper_client.contract import ACTOR_HEADER, AGAIN_HEADER, CORRELATION_HEADER
from tierkeeper_client.errors import InvalidInput

MAC_HEADER: Final = "tierkeeper_mac"
VERSION: Final = "1"
#: the headers that determine what a worker does with a message and as which actor; the others are informative
COVERED: Final = ("task", "id", "eta", "expires", "retries", CORRELATION_HEADER, ACTOR_HEADER, AGAIN_HEADER)
LEAST_BYTES: Final = 16  # of a secret; more than 32 add no strength

_KEY_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_MOMENT: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """Named secrets. The first signs, all verify; to rotate a key, put the new one first and drop the old one later."""

    keys: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``ID:BASE64,ID:BASE64,…``. Raises InvalidInput, which never shows a secret."""
        keys: dict[str, bytes] = {}
        for at, part in enumerate(filter(None, (piece.strip() for piece in text.split(","))), start=1):
            name, _, encoded = part.partition(":")
            if not _KEY_ID.fullmatch(name) or name in keys:
                raise _bad(f"key {at} has no name of its own (letters, digits, '_', '.', '-')")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except binascii.Error as error:
                raise _bad(f"the secret of key {name!r} is no base64") from error
            if len(keys[name]) < LEAST_BYTES:
                raise _bad(f"the secret of key {name!r} has fewer than {LEAST_BYTES} bytes")
        if not keys:
            raise _bad("there is no key in it")
        return cls(keys)

    def sign(self, headers: Mapping[str, Any], body: bytes, *, at: float | None = None) -> str:
        """Return the value of the header for a message that is sent ``at`` a unix time (None: now)."""
        name = next(iter(self.keys))
        moment = str(int(time.time() if at is None else at))
        return f"{VERSION}:{name}:{moment}:{self._mac(name, moment, headers, body)}"

    def problem(self, headers: Mapping[str, Any], body: bytes, *, max_age: float, now: float | None = None) -> str:
        """Return in words why a message is not trusted; empty if it is. ``max_age``: seconds in the past or future."""
        value = headers.get(MAC_HEADER)
        if value is None:
            return "it is not signed"
        version, name, moment, mac = (*str(value).split(":", 3), "", "", "")[:4]
        if version != VERSION or name not in self.keys or not _MOMENT.fullmatch(moment):
            return "it is signed with a key that is not known here"
        if not hmac.compare_digest(mac.encode(errors="replace"), self._mac(name, moment, headers, body).encode()):
            return "its signature does not fit what it says"
        age = (time.time() if now is None else now) - int(moment)
        if abs(age) > max_age:
            return f"it was signed {abs(age):.0f} s {'ago' if age > 0 else 'ahead of now'}"
        return ""

    def _mac(self, name: str, moment: str, headers: Mapping[str, Any], body: bytes) -> str:
        signed = [VERSION, name, moment, [headers.get(header) for header in COVERED], hashlib.sha256(body).hexdigest()]
        text = json.dumps(signed, separators=(",", ":"), default=repr)
        return hmac.new(self.keys[name], text.encode(), hashlib.sha256).hexdigest()


def _bad(problem: str) -> InvalidInput:
    return InvalidInput(
        field="the message keys",
        value="•••",
        problem=problem,
        fix="Write ID:BASE64 of at least 16 random bytes (openssl rand -base64 32), several separated by commas.",
    )
