"""The mark of a tier: a small object in its place that says to which catalog, and to which of its tiers, it belongs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tierkeeper.base.clock import utc
from tierkeeper.stores.errors import MarkUnreadable

FORMAT = 1
#: bytes that a mark has at most; stores read one more, to know of those that are larger
LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class TierMark:
    """Which catalog, which line of it (of two copies of a catalog one goes on), which tier, and when it was made."""

    catalog: UUID
    line: UUID
    tier: str
    made: datetime

    def as_json(self) -> dict[str, Any]:
        """Return the mark as it is written."""
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


#: what a store tells of the mark that it found (None: none); raises TierNotOurs where that is not the one expected,
#: and returns whether the store may remember that this mark is
Guard = Callable[[TierMark | None], bool]


def parse(found: object, *, tier: str, place: str) -> TierMark:
    """Return the mark that ``found`` in ``place`` is (bytes, or their JSON); MarkUnreadable where it is none."""
    if isinstance(found, bytes) and len(found) > LARGEST:
        raise MarkUnreadable(tier=tier, mark=place, reason=f"it is larger than {LARGEST} bytes")
    try:
        document: Any = json.loads(found) if isinstance(found, bytes) else found
        if document["format"] != FORMAT:
            reason = f"its format is {document['format']!r:.40}, and {FORMAT} is the newest that is known"
            raise MarkUnreadable(tier=tier, mark=place, reason=reason)
        return TierMark(
            catalog=UUID(document["catalog"]),
            line=UUID(document["line"]),
            tier=str(document["tier"]),
            made=utc(datetime.fromisoformat(document["made"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MarkUnreadable(tier=tier, mark=place, reason="it does not say what a mark says") from error


def is_over(over: TierMark | None, read: Callable[[], TierMark | None]) -> bool:
    """Whether what is ``read`` is exactly the mark ``over``; None: whether it cannot be read as a mark."""
    try:
        found = read()
    except MarkUnreadable:
        if over is None:
            return True
        raise
    return over is not None and found == over
