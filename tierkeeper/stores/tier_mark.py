"""The mark of a tier: a small object in its place that names the catalog and the tier that the place belongs to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tierkeeper.base.clock import utc
from tierkeeper.stores.errors import MarkUnreadable
from tierkeeper_client import times
from tierkeeper_client.errors import InvalidInput

FORMAT = 1
#: maximum size of a mark in bytes; stores read one byte more, to detect larger objects
LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class TierMark:
    """The catalog, its line (of two copies of a catalog only one continues), the tier, and when the mark was made."""

    catalog: UUID
    line: UUID
    tier: str
    made: datetime

    def as_json(self) -> dict[str, Any]:
        """Return the mark as the JSON document that is stored."""
        return {
            "format": FORMAT,
            "catalog": str(self.catalog),
            "line": str(self.line),
            "tier": self.tier,
            "made": utc(self.made).isoformat(),
        }

    def as_bytes(self) -> bytes:
        """Return the content of the mark's object."""
        return json.dumps(self.as_json()).encode() + b"\n"


#: called with the mark that a store found (None: none); raises TierNotOurs where it is not the expected one, and
#: returns whether the store may remember that it is
Guard = Callable[[TierMark | None], bool]


def parse(content: object, *, tier: str, place: str) -> TierMark:
    """Return the mark in ``content`` (bytes, or their JSON); raise MarkUnreadable, with ``place``, if it is none."""
    if isinstance(content, bytes) and len(content) > LARGEST:
        raise MarkUnreadable(tier=tier, mark=place, reason=f"it is larger than {LARGEST} bytes")
    try:
        document: Any = json.loads(content) if isinstance(content, bytes) else content
        if document["format"] != FORMAT:
            reason = f"its format is {document['format']!r:.40}, and {FORMAT} is the newest that is known"
            raise MarkUnreadable(tier=tier, mark=place, reason=reason)
        return TierMark(
            catalog=UUID(document["catalog"]),
            line=UUID(document["line"]),
            tier=str(document["tier"]),
            made=times.checked(datetime.fromisoformat(document["made"]), field="made"),
        )
    except (InvalidInput, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MarkUnreadable(tier=tier, mark=place, reason="it does not say what a mark says") from error


def is_over(over: TierMark | None, read: Callable[[], TierMark | None]) -> bool:
    """Return True if ``read`` returns exactly the mark ``over``; of None, if it raises MarkUnreadable."""
    try:
        found = read()
    except MarkUnreadable:
        if over is None:
            return True
        raise
    return over is not None and found == over
