"""The life of a run: it is begun, counted, gives signs of progress, and ends as soon as its work ends.

The run of a sweep ends ``done``, or ``failed`` with the reason. Only a process that dies leaves its run ``running``,
and one whose catalog stays away, for to end a run is to write a row. That is tried for 15 seconds; where nothing
answers, one try takes as long as the catalog's time-outs.

A process that lives renews its run's sign of life every half minute, within a long call of a store too, but not for
longer than :func:`_longest_call` without progress: then it hangs. After ``SILENCE`` without a sign the run is not at
work any more, and the next run that begins, of any kind, ends it as ``abandoned``. A rotation that only waited in its
queue is taken up by its message.

Two kinds of runs end elsewhere, each with its last row: a recompute, whose cursor every next one continues from
(:mod:`tierkeeper.engine.policies.recompute`), and a run that waits for an operator
(:mod:`tierkeeper.engine.gates.approval`).
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.base import log
from tierkeeper.base.backoff import Backoff
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogUnavailable, TierkeeperError
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import runs
from tierkeeper.engine.context import Engine
from tierkeeper.settings.groups import EngineSettings
from tierkeeper.values.artifacts import ItemError
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.runs import SweepResult
from tierkeeper_client import texts

_log = log.get(__name__)

#: whatever can end the block of a job early in a live process
_ERRORS = (Exception, KeyboardInterrupt, SystemExit, GeneratorExit)
#: a run without a sign of life for so long is not at work: its process is gone
SILENCE: Final = timedelta(minutes=5)
_PULSE_SECONDS = 30.0  # between two signs of life of a process that lives
#: how long a process at least gives signs without progress: some statements read whole tables
_LONGEST_SECONDS: Final = 3 * 3600.0
_CAPS: Final = 1.5  # how many ``engine.lease_cap`` it gives them: one item may take one
_HEARD_SECONDS = 1.0  # least time between two signs of progress in the catalog
_REASON_LENGTH = 1000
_ABANDONED = f"its process was not heard of for {SILENCE.seconds // 60} minutes: it was killed, or its catalog was away"
#: an error that ends a run is often the catalog's own, which restarts or fails over within seconds
_END_SECONDS: Final = 15.0
_END_PAUSES: Final = Backoff(first=0.2, cap=2.0, least=0.5)


class Job:
    """One run's work in this process, with its sums so far.

    ``run``: its id; None for a dry run, and before the run has begun.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        caller: Caller,
        run: UUID | None = None,
        begin: Callable[[], UUID] | None = None,
    ) -> None:
        self.run = run
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self.errors = 0
        self.failures: list[ItemError] = []
        self._catalog, self._caller, self._begin = engine.catalog, caller, begin
        self._longest = _longest_call(engine.settings.engine)
        self._heard = self._moved = time.monotonic()

    @property
    def recorded(self) -> bool:
        """True if the run is or will be recorded: it is no dry run."""
        return self.run is not None or self._begin is not None

    def begin(self) -> UUID | None:
        """Record the beginning of the run, once; return its id, None for a dry run."""
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
        """Add what a batch did, ``size`` in bytes. ``also`` is called in the same transaction."""
        self.progressed()
        done = {what: number for what, number in counts.items() if number}
        if self.run is not None or also is not None:
            self._catalog.run(self._caller, _add, self.run, counts=done, size=size, errors=errors, also=also)
        self.counts.update(done)
        self.bytes += size
        self.errors += errors
        self.failures.extend(failures)

    def progressed(self) -> None:
        """Note progress, within an item too, so that the signs of life continue; any thread may call it."""
        self._moved = time.monotonic()

    def heard(self) -> None:
        """Record a sign of progress, at most once a second: a run without one is taken for dead."""
        self.progressed()
        if self.run is not None and time.monotonic() - self._heard >= _HEARD_SECONDS:
            self._catalog.run(self._caller, runs.add, self.run, counts={})
            self._heard = time.monotonic()

    def renew(self) -> None:
        """Record a sign of life, unless there was no progress for so long that the process hangs. Never raises."""
        if time.monotonic() - self._moved > self._longest:
            _log.error("a run shows no progress, and counts as dead soon", run=str(self.run))
            return
        if self.run is not None:
            try:
                self._catalog.run(self._caller, runs.add, self.run, counts={})
            except Exception as error:  # noqa: BLE001  the next sign may be written; the work meets the error itself
                _log.debug("a run's sign of life could not be written", run=str(self.run), error=str(error))

    def moved(self, progress: ProgressCallback | None) -> ProgressCallback:
        """Return a callback that records progress in the run, then calls ``progress`` if given."""

        def move(done: int) -> None:
            self.heard()
            if progress is not None:
                progress(done)

        return move

    def result(self, *, more: bool = False) -> SweepResult:
        """Return the sums; ``more``: due work remains."""
        return SweepResult(dict(self.counts), self.bytes, self.errors, more, tuple(self.failures))

    def finish(self) -> None:
        """End the run as ``done``, unless it has ended already."""
        if self.run is not None:
            self._catalog.run(self._caller, runs.finish, self.run)

    def fail(self, error: BaseException) -> None:
        """End the run as ``failed`` because of ``error``, unless it has ended already. Never raises."""
        self._fail(_reason(error))

    def leave(self, reason: str) -> None:
        """End the run as ``failed`` for ``reason``: it did all that it could, and something remains to be done."""
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        if self.run is None:
            return
        until = time.monotonic() + _END_SECONDS
        for attempt in count(1):
            try:
                self._catalog.run(self._caller, runs.fail, self.run, reason=reason)
            except Exception as unwritten:  # noqa: BLE001  the caller raises the error that ended the work
                pause = _END_PAUSES.seconds(attempt)
                if isinstance(unwritten, CatalogUnavailable) and time.monotonic() + pause < until:
                    time.sleep(pause)
                    continue
                _log.warning("a run could not be ended", run=str(self.run), error=str(unwritten))
            return


def _add(
    connection: sa.Connection,
    run: UUID | None,
    *,
    counts: Mapping[str, int],
    size: int,
    errors: int,
    also: Callable[[sa.Connection], None] | None,
) -> None:
    if run is not None:
        runs.add(connection, run, counts=counts, size=size, errors=errors)
    if also is not None:
        also(connection)


def begin_run(
    connection: sa.Connection,
    kind: RunKind,
    *,
    actor: str,
    tenant: str | None = None,
    arguments: runs.Arguments | None = None,
) -> UUID:
    """Record that a run begins, and end those that are silent."""
    end_silent(connection)
    return runs.begin(connection, kind, actor=actor, tenant=tenant, arguments=arguments)


def end_silent(connection: sa.Connection) -> int:
    """End the runs whose processes are gone; return how many."""
    return runs.abandon_silent(connection, silence=SILENCE, reason=_ABANDONED)


def _longest_call(numbers: EngineSettings) -> float:
    """Return for how many seconds a process may make no progress before it counts as one that hangs."""
    return max(_LONGEST_SECONDS, _CAPS * numbers.lease_cap.total_seconds())


@contextmanager
def running(
    engine: Engine,
    kind: RunKind,
    *,
    caller: Caller,
    arguments: runs.Arguments | None = None,
    dry_run: bool = False,
    lazily: bool = False,
) -> Iterator[Job]:
    """Work in the block as a new run, which ends with it; ``lazily``: it begins when the block calls ``Job.begin``."""

    def begin() -> UUID:
        return engine.catalog.run(caller, begin_run, kind, actor=caller.actor, arguments=arguments)

    job = Job(engine, caller=caller, begin=None if dry_run else begin)
    if not lazily:
        job.begin()
    with _failing(job):
        yield job
        job.finish()


@contextmanager
def joined(engine: Engine, run: UUID | None, *, caller: Caller) -> Iterator[Job]:
    """Work in the block for a run begun earlier, None for a dry run. The block ends it itself.

    An error fails the run, also for the other messages that share it and for a retry of this one: they find it ended,
    and what is due is left to the next rotation.
    """
    job = Job(engine, caller=caller, run=run)
    with _failing(job):
        yield job


@contextmanager
def _failing(job: Job) -> Iterator[None]:
    with _renewed(job):
        try:
            yield
        except _ERRORS as error:
            job.fail(error)
            raise


@contextmanager
def _renewed(job: Job) -> Iterator[None]:
    """Renew the run's sign of life from a thread of its own while the block works."""
    if not job.recorded:
        yield
        return
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_PULSE_SECONDS):
            job.renew()

    threading.Thread(target=renew, name="sign of life", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _reason(error: BaseException) -> str:
    """Return what ended the work, in words for users, at most ``_REASON_LENGTH`` characters."""
    if isinstance(error, TierkeeperError):
        return str(error)[:_REASON_LENGTH]
    if not isinstance(error, Exception):
        signalled = str(error) if isinstance(error, KeyboardInterrupt) else ""  # the name of the signal, if known
        return f"it was interrupted ({signalled or type(error).__name__})"
    first = texts.first_line(str(error))
    return texts.storable(f"{type(error).__name__}: {first}".rstrip(": "))[:_REASON_LENGTH]
