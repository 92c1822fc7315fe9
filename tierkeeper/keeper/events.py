"""Queries of the audit log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tierkeeper.catalog import artifacts, events
from tierkeeper.catalog.database import take_time
from tierkeeper.engine.context import Engine
from tierkeeper.values.artifacts import Ref
from tierkeeper.values.events import EventView


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
            subjects = None
            if ref is not None:
                versions = artifacts.versions(connection, ref)
                subjects = [row.id for row in versions if ref.version in {None, row.version}]
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
