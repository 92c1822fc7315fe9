"""The mark of a tier: a small object in its place that says to which catalog, and to which of its tiers, it belongs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tierkeeper.base.clock import utc
from tierkeeper.stores.errors import TierNotOurs

FORMAT = 1


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


def parse(found: object, *, tier: str) -> TierMark:
    """Return the mark that ``found`` is (bytes, or the JSON read from them); TierNotOurs where it is none."""
    try:
        document: Any = json.loads(found) if isinstance(found, bytes) else found
        if document["format"] != FORMAT:
            reason = f"its mark has format {document['format']}, which this version of tierkeeper does not know"
            raise TierNotOurs(tier=tier, reason=reason)
        return TierMark(
            catalog=UUID(document["catalog"]),
            line=UUID(document["line"]),
            tier=str(document["tier"]),
            made=utc(datetime.fromisoformat(document["made"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TierNotOurs(tier=tier, reason="what lies where its mark belongs is none") from error
