"""The files that have the detached months of events, and what that means for who reads the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

import sqlalchemy as sa

from tierkeeper.audit.position import Position
from tierkeeper.catalog.partitions import Month
from tierkeeper.catalog.statements import typed
from tierkeeper.values.events import EventsCut

_WRITE = sa.text("""
    INSERT INTO segments (since, file, until, events, size, sha256, ends, detached_at, by)
    VALUES (:since, :file, :until, :events, :size, :sha256, :ends, :at, :by)
    ON CONFLICT (since, file)
    DO UPDATE SET events = excluded.events, size = excluded.size, sha256 = excluded.sha256, ends = excluded.ends,
        detached_at = excluded.detached_at, by = excluded.by
""").bindparams(*typed(ends="text[]"))
_ENDS = sa.text("SELECT ends FROM segments ORDER BY since, detached_at")
_HAS = sa.text("SELECT EXISTS (SELECT FROM segments WHERE since = :since AND file = :file AND sha256 = :sha256)")
_COVERING = sa.text("SELECT until, file FROM segments WHERE until > :since ORDER BY since, detached_at")
_FORGET_RETURNED = sa.text("""
    DELETE FROM segments s
    WHERE (SELECT count(*) FROM events e WHERE e.at >= s.since AND e.at < s.until) >= s.events
""")


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A file with all events of a month, as it was read back.

    ``size`` in bytes and ``sha256`` are those of the file; ``ends`` the position of each cluster's last event, the
    clusters in the order of their first ones.
    """

    file: str
    events: int
    size: int
    sha256: bytes
    ends: tuple[str, ...]


def write(connection: sa.Connection, month: Month, segment: SegmentFile, *, by: str, at: datetime) -> None:
    """Note that the month's events are in this file."""
    given = {"file": segment.file, "events": segment.events, "size": segment.size, "sha256": segment.sha256}
    given |= {"since": month.since, "until": month.until, "ends": list(segment.ends), "by": by, "at": at}
    connection.execute(_WRITE, given)


def has(connection: sa.Connection, month: Month, segment: SegmentFile) -> bool:
    """Return whether it is noted that the month's events are in this file."""
    given = {"since": month.since, "file": segment.file, "sha256": segment.sha256}
    return bool(connection.execute(_HAS, given).scalar_one())


def ends(connection: sa.Connection) -> Mapping[str, Position]:
    """Return the last detached position of each cluster that has one, the clusters in their order."""
    found: dict[str, Position] = {}
    for texts in connection.execute(_ENDS).scalars():
        for position in map(Position.read, texts):
            known = found.setdefault(position.cluster, position)
            found[position.cluster] = max(known, position, key=attrgetter("key"))
    return found


def cut(connection: sa.Connection, *, since: datetime) -> EventsCut | None:
    """Return which events from ``since`` on are not in the catalog any more, None if all of them are."""
    rows = connection.execute(_COVERING, {"since": since}).all()
    return EventsCut(max(row.until for row in rows), tuple(row.file for row in rows)) if rows else None


def forget_returned(connection: sa.Connection) -> None:
    """Forget the files of months whose events are all in the catalog again, as after a rebuild from a dump."""
    connection.execute(_FORGET_RETURNED)
