"""The position of an event in the one order in which events are read: the cursor of a reader that follows them.

The order is (cluster, transaction, subject, revision), by rule R33. Times and ids are no order: a long transaction
commits events whose times and ids precede those that a reader has already passed, and the reader would miss them.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from tierkeeper.base.errors import InvalidPosition

_FORM = re.compile(
    r"(?P<cluster>[A-Za-z0-9-]+)\.(?P<xid>\d{1,20})\.(?P<subject>[0-9a-f-]{36})\.(?P<revision>\d{1,19})", re.ASCII
)
_LARGEST_XID, _LARGEST_REVISION = 2**64 - 1, 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """The position of one event; readers store its ``str``.

    ``cluster``: the PostgreSQL server and timeline that wrote the event; ``xid``: the transaction there.
    """

    cluster: str
    xid: int
    subject: UUID
    revision: int

    @property
    def key(self) -> tuple[int, UUID, int]:
        """The order within the cluster."""
        return self.xid, self.subject, self.revision

    def __str__(self) -> str:
        return f"{self.cluster}.{self.xid}.{self.subject}.{self.revision}"

    @classmethod
    def read(cls, text: str) -> "Position":
        """Parse the ``str`` of a position. Raises InvalidPosition."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise InvalidPosition(position=text, problem="it is not one that was read here")
        xid, revision = int(match["xid"]), int(match["revision"])
        if xid > _LARGEST_XID or revision > _LARGEST_REVISION:
            raise InvalidPosition(position=text, problem="its numbers are too large")
        try:
            return cls(match["cluster"], xid, UUID(match["subject"]), revision)
        except ValueError:
            raise InvalidPosition(position=text, problem="it names no subject") from None
