"""The life of a run: begun, counted, heard from, and ended the moment its work ends.

A run ends ``done``, or ``failed`` with the reason. Only a process that dies leaves one ``running``; ``maintain`` ends
it once nothing was heard of it for long.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import runs
from tierkeeper.catalog.database import Database
from tierkeeper.values.artifacts import ItemError
from tierkeeper.values.runs import SweepResult

_log = log.get(__name__)

#: everything that leaves the block of a job while the process lives
_ERRORS = (Exception, KeyboardInterrupt, SystemExit, GeneratorExit)
_HEARD_SECONDS = 1.0  # signs of progress in the catalog are at least so far apart
_REASON_LENGTH = 1000


class Job:
    """One run's work in this process, and its sums so far; ``run`` is None for a dry run, and until it has begun."""

    def __init__(self, catalog: Database, *, run: UUID | None = None, begin: Callable[[], UUID] | None = None) -> None:
        self.run = run
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self.errors = 0
        self.failures: list[ItemError] = []
        self._catalog, self._begin = catalog, begin
        self._heard = time.monotonic()

    def begin(self) -> UUID | None:
        """Record that the run begins, if it has not yet; return its id, None for a dry run."""
        if self.run is None and self._begin is not None:
            self.run = self._begin()
        return self.run

    def add(
        self,
        counts: Mapping[str, int],
        *,
        size: int = 0,
        errors: int = 0,
        failures: Iterable[ItemError] = (),
        also: Callable[[sa.Connection], None] | None = None,
    ) -> None:
        """Add what a batch did: ``size`` in bytes. ``also`` is written in the same transaction."""
        done = {what: number for what, number in counts.items() if number}

        def unit(connection: sa.Connection) -> None:
            if self.run is not None:
                runs.add(connection, self.run, counts=done, size=size, errors=errors)
            if also is not None:
                also(connection)

        if self.run is not None or also is not None:
            self._catalog.run(unit)
        self.counts.update(done)
        self.bytes += size
        self.errors += errors
        self.failures.extend(failures)

    def heard(self) -> None:
        """Note in the run that it is at work: one without a sign of progress is taken for dead."""
        if self.run is not None and time.monotonic() - self._heard >= _HEARD_SECONDS:
            self._catalog.run(partial(runs.add, run=self.run, counts={}))
            self._heard = time.monotonic()

    def moved(self, progress: Callable[[int], None] | None) -> Callable[[int], None]:
        """Return what shows progress in the run too."""

        def move(done: int) -> None:
            self.heard()
            if progress is not None:
                progress(done)

        return move

    def result(self, *, more: bool = False) -> SweepResult:
        """Return the sums; ``more``: something due is left."""
        return SweepResult(dict(self.counts), self.bytes, self.errors, more, tuple(self.failures))

    def finish(self) -> None:
        """End the run as done, unless it was ended already."""
        if self.run is not None:
            self._catalog.run(partial(runs.finish, run=self.run))

    def fail(self, error: BaseException) -> None:
        """End the run as failed by ``error``, unless it was ended already; never raises."""
        if self.run is None:
            return
        try:
            self._catalog.run(partial(runs.fail, run=self.run, reason=_reason(error)))
        except Exception as unwritten:  # noqa: BLE001  the error that ended the work is the one to be raised
            _log.warning("a run could not be ended", run=str(self.run), error=str(unwritten))


@contextmanager
def running(
    catalog: Database,
    kind: RunKind,
    *,
    caller: Caller,
    arguments: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    lazily: bool = False,
) -> Iterator[Job]:
    """Do the work of the block as a run of its own; ``lazily``: it begins when the block asks for it."""

    def begin() -> UUID:
        return catalog.run(partial(runs.begin, kind=kind, actor=caller.actor, arguments=arguments))

    job = Job(catalog, begin=None if dry_run else begin)
    if not lazily:
        job.begin()
    with _failing(job):
        yield job
        job.finish()


@contextmanager
def joined(catalog: Database, run: UUID | None) -> Iterator[Job]:
    """Work in the block for a run that was begun before, None for a dry run: the block itself ends it, or an error."""
    job = Job(catalog, run=run)
    with _failing(job):
        yield job


@contextmanager
def _failing(job: Job) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        job.fail(error)
        raise


def _reason(error: BaseException) -> str:
    """Return what ended the work, for people."""
    if isinstance(error, TierkeeperError):
        return str(error)[:_REASON_LENGTH]
    if not isinstance(error, Exception):
        return f"it was interrupted ({type(error).__name__})"
    first = next(iter(str(error).splitlines()), "")  # a database error goes on with the statement and its values
    return f"{type(error).__name__}: {first}".rstrip(": ")[:_REASON_LENGTH]
