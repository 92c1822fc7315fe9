"""Queries of the audit log, and the detaching of its old months."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tierkeeper.audit.position import Position
from tierkeeper.base.callers import Caller
from tierkeeper.catalog import artifacts, events, partitions, segments
from tierkeeper.catalog.database import take_time
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import detach
from tierkeeper.values.artifacts import Ref
from tierkeeper.values.detaching import DetachedMonth
from tierkeeper.values.events import EventsCut, EventView
from tierkeeper.values.progress import ProgressCallback

_PAGE: Final = 1000  # events that are read at once by position


@dataclass(frozen=True, slots=True)
class Events:
    """The resource ``keeper.events``."""

    engine: Engine

    def select(
        self,
        *,
        tenant: str | None = None,
        ref: Ref | None = None,
        type: str | None = None,  # noqa: A002  the column's name
        since: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = True,
    ) -> Iterator[EventView]:
        """Yield events in order of time; a ``ref`` without a version selects those of all its versions."""
        with self.engine.catalog.reading() as connection:
            subjects = None if ref is None else artifacts.versions_of(ref)
            take_time(connection)  # the consumer may be slow, such as a pager
            yield from events.query(
                connection,
                tenant=tenant,
                subjects=subjects,
                type_=type,
                since=since,
                limit=limit,
                newest_first=newest_first,
            )

    def after(self, position: str | None, *, limit: int | None = None) -> Iterator[EventView]:
        """Yield events in the order of their positions, from the one after ``position`` on; None: from the first.

        None that comes later stands before the last one that is yielded. From the first on there may be more than
        ``limit``: all that stand among detached ones, so that the last one is a position to continue from. Raises
        InvalidPosition.
        """
        reached = None if position is None else Position.read(position)
        left = limit
        while left is None or left > 0:
            asked = _PAGE if left is None else min(_PAGE, left)
            with self.engine.catalog.reading() as connection:
                page = events.after(connection, reached, limit=asked)
            yield from page
            if len(page) < asked:
                return
            reached = Position.read(str(page[-1].position))
            left = None if left is None else left - len(page)

    def cut(self, *, ref: Ref | None = None, since: datetime | None = None) -> EventsCut | None:
        """Return which of the events that are selected are in files by now, None if all are in the catalog."""
        with self.engine.catalog.reading() as connection:
            begin = since or datetime(1, 1, 1, tzinfo=UTC)
            if ref is not None:
                begin = max(begin, artifacts.first_stored(connection, ref) or begin)
            return segments.cut(connection, since=begin)

    def detach(
        self,
        *,
        before: datetime,
        folder: Path,
        caller: Caller,
        dry_run: bool = False,
        progress: ProgressCallback = lambda _done: None,
    ) -> Iterator[DetachedMonth]:
        """Take the months before the one that ``before`` begins out of the catalog, each into a file in ``folder``."""
        return detach.detach(
            self.engine, before=before, folder=folder, caller=caller, dry_run=dry_run, progress=progress
        )

    def outside(self, *, before: datetime) -> int:
        """Return how many events before a moment are in no month's partition, and are not detached."""
        with self.engine.catalog.reading() as connection:
            return partitions.outside(connection, before=before)
