"""The copies to verify next, in three orders, each by an index of its own."""

from datetime import datetime
from enum import Enum

import sqlalchemy as sa

from tierkeeper.catalog import artifacts, placements
from tierkeeper.catalog.conditions import UNVOUCHED, VOUCHED
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow

_COPIES = """
    SELECT p.id AS placement,
        -- any that still wants it stands for all, of which there may be any number
        (SELECT a.id FROM artifacts a WHERE a.blob_id = p.blob_id ORDER BY a.wanted DESC LIMIT 1) AS artifact,
        p.verified_at
    FROM placements p
    WHERE"""
_UNVOUCHED = sa.text(f"{_COPIES} {UNVOUCHED} AND p.id > :after_id ORDER BY p.id LIMIT :limit")
_UNREAD = sa.text(f"""
    {_COPIES} {VOUCHED} AND p.verified_at IS NULL AND p.id > :after_id
    ORDER BY p.verified_at, p.id LIMIT :limit
""")
_OLDEST = sa.text(f"""
    {_COPIES} {VOUCHED}
        AND p.verified_at < :before
        AND (p.verified_at, p.id) > (:after_time, :after_id)
    ORDER BY p.verified_at, p.id LIMIT :limit
""")


class Order(Enum):
    """The orders in which copies are verified, one after the other, each by an index of its own."""

    UNVOUCHED = _UNVOUCHED  # not vouched for
    UNREAD = _UNREAD  # written, or copied by a server, and never read since
    OLDEST = _OLDEST  # read longest ago, and read in a time to come, by a clock that was ahead


def to_verify(
    connection: sa.Connection, order: Order, *, before: datetime, after: placements.Cursor, limit: int
) -> tuple[list[tuple[ArtifactRow, PlacementRow]], placements.Cursor | None]:
    """Return the next present copies in this order that were not read since ``before``, each with an artifact.

    The second value is the key to continue after, None at the end: a copy that can't be read now is passed over.
    """
    arguments = {"before": before, "after_time": after[0], "after_id": after[1], "limit": limit}
    named = {name: value for name, value in arguments.items() if f":{name}" in order.value.text}
    candidates = connection.execute(order.value, named).all()
    pairs = [(r.artifact, r.placement) for r in candidates]
    rows = {row.id: row for row in artifacts.load(connection, [artifact for artifact, _ in pairs if artifact])}
    copies = {copy.id: copy for copy in placements.load(connection, [placement for _, placement in pairs])}
    known = [(rows[a], copies[p]) for a, p in pairs if a in rows and p in copies]
    return known, (candidates[-1].verified_at, candidates[-1].placement) if candidates else None
