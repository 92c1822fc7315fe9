"""Take old months of events out of the catalog, each into a file of its own.

1. export: the month's events go into a file, under another name until all of it is on the disk. A file of an earlier
   try is taken as it is. A crash leaves a file that nothing refers to.
2. read back: the file is brought to the disk with its name, whoever wrote it, and compared with the catalog event by
   event.
3. keep (transactions): what `explain`, receipts and code ask for years later goes into the table `history`. A crash
   leaves it in both places, and it counts once.
4. detach (transaction): **the commit point**. No event can be written in this month any more, and all is asked again
   that was asked before step 1, which may be hours ago: deletes are on, the catalog is trusted, positions are final, a
   dump of the line and the server of now has the month. It has as many events as were read back, and all that is to be
   kept is kept. Then its partition leaves the log, and the file is noted, with an event. A crash before it leaves the
   month in the catalog; the next try begins with step 1 and finds its file.
5. drop (transaction): the table of the month, which nothing reads any more. A crash leaves it to the next try.

Only months that are over for :data:`QUIET` and whose events have their final positions; and only those that are in a
dump, where dumps are made: the next dump has the events since the last one, and would lack those that went before it.
A month that another process takes meanwhile is told, and its files are not compared with what is left.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.catalog import DetachedEvents, MonthDetached
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import EventsHeld, InvalidInput, MonthChanged
from tierkeeper.base.states import Outcome
from tierkeeper.catalog import epochs, events, history, partitions, segments
from tierkeeper.catalog.database import catalog_now, clocks, take_time
from tierkeeper.catalog.events import Horizon
from tierkeeper.catalog.partitions import Month
from tierkeeper.catalog.segments import SegmentFile
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import dump_files, segment_files
from tierkeeper.engine.trust import own_objects, permission
from tierkeeper.settings import roots
from tierkeeper.values.detaching import DetachedMonth
from tierkeeper.values.events import EventView
from tierkeeper.values.progress import ProgressCallback

#: an event's time is taken in its transaction, which lasts for some hours at most
QUIET: Final = timedelta(days=2)
TRIES: Final = 10
PAUSES: Final = Backoff(first=0.5, cap=4.0, least=0.5)


def detach(
    engine: Engine, *, before: datetime, folder: Path, caller: Caller, dry_run: bool, progress: ProgressCallback
) -> Iterator[DetachedMonth]:
    """Detach the months before the one of ``before``, the oldest first; yield what became of each.

    A month that cannot go yet is refused, with the reason, and so none after it is tried. Raises InvalidInput for a
    month that may still get events, or a folder of tierkeeper's own; DeletesDisabled, CatalogRestored;
    and, with the month as it was, SegmentMismatch, MonthChanged, EventsHeld.
    """
    target = _checked(engine, folder)
    months = _months(engine, before)
    if not dry_run:
        for month in _left(engine):
            step_5_drop(engine, month, caller=caller)
    for month in months:
        path = segment_files.located(target, month)
        try:
            done = _taken_out(engine, month, path, before, caller=caller, dry_run=dry_run, progress=progress)
        except _GoneError:
            detail = "another `events detach` took it meanwhile: `tierkeeper events --oldest-first` names its file"
            done = DetachedMonth(str(month), Outcome.REFUSED, 0, str(path), detail, dry_run=dry_run)
        yield done
        if done.outcome is Outcome.REFUSED:
            return


def _taken_out(
    engine: Engine,
    month: Month,
    path: Path,
    before: datetime,
    *,
    caller: Caller,
    dry_run: bool,
    progress: ProgressCallback,
) -> DetachedMonth:
    """Take one month through the steps, or say what would become of it; _GoneError where another process took it."""
    number, refused = _judged(engine, month)
    if refused is None and not dry_run:
        step_1_export(engine, month, path, progress=progress)
        segment = step_2_read_back(engine, month, path, progress=progress)
        step_3_keep(engine, month, caller=caller)
        refused = step_4_detach(engine, month, segment, caller=caller)
        if refused is None:
            step_5_drop(engine, month, caller=caller)
            done, sha256 = (str(month), Outcome.DONE, segment.events, segment.file), segment.sha256.hex()
            return DetachedMonth(*done, _reason(before), segment.size, sha256)
    outcome, detail = (Outcome.DONE, _reason(before)) if refused is None else (Outcome.REFUSED, refused)
    return DetachedMonth(str(month), outcome, number, str(path), detail, dry_run=dry_run)


def step_1_export(engine: Engine, month: Month, path: Path, *, progress: ProgressCallback) -> None:
    """Write the month's file, unless there is one."""
    if not os.path.lexists(path):
        with _events(engine, month) as found:
            segment_files.write(path, found, progress=progress)


def step_2_read_back(engine: Engine, month: Month, path: Path, *, progress: ProgressCallback) -> SegmentFile:
    """Return what the month's file is; SegmentMismatch where it has not exactly the month's events in their order."""
    segment_files.sync(path)
    with _events(engine, month) as found:
        return segment_files.compared(path, month, found, progress=progress)


def step_3_keep(engine: Engine, month: Month, *, caller: Caller) -> None:
    """Write into `history` what stays of the month."""
    reached = None
    while (reached := engine.catalog.run(caller, history.keep, month, reached)) is not None:
        pass


def step_4_detach(engine: Engine, month: Month, segment: SegmentFile, *, caller: Caller) -> str | None:
    """Detach the month's partition, and note its file; return why the month cannot go any more, None if it went."""
    for tried in range(1, TRIES + 1):
        refused = engine.catalog.run(caller, _detach, month, segment, dumped=_dumped(engine), caller=caller)
        if refused is not _Held.BY_OTHERS:
            return refused
        time.sleep(PAUSES.seconds(tried))
    raise EventsHeld(month=month, tries=TRIES)


def step_5_drop(engine: Engine, month: Month, *, caller: Caller) -> None:
    """Drop the month's table."""
    engine.catalog.run(caller, partitions.drop, month)


class _GoneError(Exception):
    """Another process detached the month meanwhile."""


@dataclass(frozen=True, slots=True)
class _Dumped:
    """How far the dumps of a line have all events of a server: those before the end of their chain, 0 without one."""

    line: UUID
    end: Horizon


class _Held(Enum):
    """Why nothing was done, and is tried again: others hold the log."""

    BY_OTHERS = "by others"


def _detach(
    connection: sa.Connection, month: Month, segment: SegmentFile, *, dumped: _Dumped | None, caller: Caller
) -> str | _Held | None:
    """Return why the month cannot go any more, or that others hold the log: nothing was done then."""
    take_time(connection)
    epochs.lock(connection)  # one detaches at a time
    if not partitions.is_attached(connection, month):
        if not segments.has(connection, month, segment):
            raise _GoneError
        return None  # an earlier try of this transaction, whose reply was lost
    if not partitions.keep_out(connection, month):
        return _Held.BY_OTHERS
    permission.require(connection)
    number = partitions.count(connection, month)
    if number != segment.events:
        raise MonthChanged(month=month, problem=f"{segment.events} events were exported, and it has {number}")
    lacking = history.lacking(connection, month)
    if lacking:
        raise MonthChanged(month=month, problem=f"{lacking} events that stay are not kept as they are")
    refused = _stays(connection, month, dumped)
    if refused is not None:
        return refused
    if not partitions.detach(connection, month):
        return _Held.BY_OTHERS
    now = catalog_now(connection)
    segments.write(connection, month, segment, by=caller.actor, at=now)
    file, host = segment.file, socket.gethostname()
    after = DetachedEvents(month=str(month), events=segment.events, file=file, host=host, sha256=segment.sha256)
    events.append_next(connection, epochs.CATALOG, MonthDetached(after=after), by=caller.actor, at=now)
    return None


def _checked(engine: Engine, folder: Path) -> Path:
    """Return the folder as an absolute path; InvalidInput unless it is one, apart from tierkeeper's own."""
    real = Path(os.path.realpath(folder))
    settings = engine.settings
    for what, own in roots.own_folders(settings.home, settings.tiers, settings.staging.url):
        if real.is_relative_to(os.path.realpath(own)):
            problem = f"it lies in {what}, {own}, where it would be lost with it, or be taken for a stray copy"
            raise InvalidInput(field="--to", value=str(folder), problem=problem, fix="Name a folder elsewhere.")
    if not real.is_dir():
        raise InvalidInput(field="--to", value=str(folder), problem="it is no folder", fix="Make it, and try again.")
    return real


def _months(engine: Engine, before: datetime) -> list[Month]:
    with engine.catalog.reading() as connection:
        permission.require(connection)
        first_open = Month.of(clocks(connection).earlier - QUIET)
        if before > first_open.since:
            problem = f"events may still be written in {first_open}"
            fix = f"The latest is {first_open}: a month can go two days after its end."
            raise InvalidInput(field="--before", value=f"{before:%Y-%m}", problem=problem, fix=fix)
        return partitions.attached(connection, before=before)


def _left(engine: Engine) -> list[Month]:
    with engine.catalog.reading() as connection:
        return partitions.left(connection)


def _dumped(engine: Engine) -> _Dumped | None:
    """Return how far the dumps' segments have every event; None where no tier keeps dumps."""
    store = own_objects.home(engine)
    if store is None:
        return None
    with engine.catalog.reading() as connection:
        line, now = epochs.line(connection), events.horizon(connection)
    end = dump_files.end_of(dump_files.chain(dump_files.segments(store, line), now))
    return _Dumped(line, Horizon(now.cluster, end))


def _judged(engine: Engine, month: Month) -> tuple[int, str | None]:
    """Return how many events a month has, and why it cannot go now, None if it can."""
    dumped = _dumped(engine)
    with _attached(engine, month) as connection:
        return partitions.count(connection, month), _stays(connection, month, dumped)


def _stays(connection: sa.Connection, month: Month, dumped: _Dumped | None) -> str | None:
    """Return why a month cannot go now, None if it can."""
    if events.unsettled(connection, since=month.since, until=month.until):
        return "a transaction is open that is older than the last of its events"
    if dumped is not None and _lacks(connection, month, dumped):
        return "no dump has its events yet: `tierkeeper catalog dump`"
    return None


def _lacks(connection: sa.Connection, month: Month, dumped: _Dumped) -> bool:
    """Return whether an event of the month may be in no dump.

    None is in one where there is no chain; nor is one of another line or server than this transaction's, as the next
    dump continues no chain of those.
    """
    if not dumped.end.xid or dumped.line != epochs.line(connection):
        return True
    if dumped.end.cluster != events.horizon(connection).cluster:
        return True
    return events.any_from(connection, dumped.end, since=month.since, until=month.until)


def _reason(before: datetime) -> str:
    return f"before {before:%Y-%m}"


@contextmanager
def _events(engine: Engine, month: Month) -> Iterator[Iterator[EventView]]:
    """Open a month's events in the order of its file: by time, then subject and revision."""
    with (
        _attached(engine, month) as connection,
        closing(events.query(connection, since=month.since, until=month.until, newest_first=False)) as found,
    ):
        yield found


@contextmanager
def _attached(engine: Engine, month: Month) -> Iterator[sa.Connection]:
    """Open a transaction during which a month stays in the log; _GoneError where another process took it before."""
    with engine.catalog.reading() as connection:
        take_time(connection)
        partitions.hold(connection)
        if not partitions.is_attached(connection, month):
            raise _GoneError
        yield connection
