"""Ends a stalled worker: one that takes no message although messages wait and it is idle.

A half-open connection to the broker looks open for ever, to the worker and to every liveness probe of its process. A
thread of the worker's first process therefore looks at the queues over a fresh connection. Messages that wait in every
look for ``health.stalled``, while no task is at work and none was taken, are proof: the worker exits, and its
supervisor starts it again. A busy worker, or a broker that does not answer, proves nothing.

Nothing can end a thread: where tasks run in threads, one that is at work for longer than the limit that Celery enforces
on processes ends the whole worker too. All that it had is delivered again, and what was over its limit is counted.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from billiard import active_children
from celery import Celery
from celery.worker import state
from kombu.exceptions import KombuError

from tierkeeper.base import log
from worker import broker

EXIT_CODE: Final = 75  # EX_TEMPFAIL: the supervisor is to start the worker again
LOOKS: Final = 5  # per `stalled`

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation: tasks ever taken, whether one is at work, the queues with waiting messages (None: unknown).

    ``overdue``: a task is at work for longer than it may be.
    """

    taken: int
    busy: bool
    waiting: Sequence[str] | None
    overdue: bool = False


class Patience:
    """Decides from a sequence of looks whether the worker has stalled for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._taken = -1
        self._since: float | None = None

    def exhausted(self, look: Observation, *, now: float) -> bool:
        """Return True once the worker has been idle for ``seconds`` while messages wait.

        ``now`` is the time of this look in seconds of a monotonic clock.
        """
        idle = not look.busy and look.taken == self._taken and bool(look.waiting)
        self._taken = look.taken
        if not idle:
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since is not None and now - self._since >= self._seconds


class Watchdog(threading.Thread):
    """Looks until :meth:`stop`; calls ``end`` once when the patience is exhausted."""

    def __init__(self, look: Callable[[], Observation], *, stalled: float, end: Callable[[Observation], None]) -> None:
        super().__init__(name="tierkeeper-watchdog", daemon=True)
        self._look = look
        self._every = stalled / LOOKS
        self._patience = Patience(stalled)
        self._end = end
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look :data:`LOOKS` times per ``stalled`` seconds, until stopped or until the worker has stalled."""
        while not self._stopping.wait(self._every):
            seen = self._look()
            exhausted = self._patience.exhausted(seen, now=time.monotonic())
            if (exhausted or seen.overdue) and not self._stopping.is_set():
                self._end(seen)
                return

    def stop(self) -> None:
        """Stop looking, because the worker shuts down by itself."""
        self._stopping.set()


def start(app: Celery, *, stalled: float, limit: float | None = None) -> Watchdog:
    """Start a watchdog of this process's worker and return it; ``stalled`` is in seconds.

    ``limit``: the seconds that a task may be at work, where Celery enforces none.
    """
    watchdog = Watchdog(lambda: observe(app, limit=limit), stalled=stalled, end=end)
    watchdog.start()
    return watchdog


def observe(app: Celery, *, limit: float | None = None) -> Observation:
    """Look at this process and, over a fresh connection, at its queues."""
    # the process first: a message taken in between then no longer waits
    taken, busy = state.all_total_count[0], bool(state.active_requests)
    waiting = None
    if not busy:
        with suppress(KombuError, OSError, *app.connection_for_write().connection_errors):
            waiting = broker.waiting(app, list(app.amqp.queues.consume_from))
    return Observation(taken, busy, waiting, overdue=limit is not None and _longest() > limit)


def _longest() -> float:
    """Return for how many seconds the task that is at work longest is."""
    begun = (getattr(request, "time_start", None) for request in list(state.active_requests))
    return max((time.time() - one for one in begun if one is not None), default=0.0)


def end(seen: Observation) -> None:
    """Kill this process's children and exit at once, whatever they are stuck in."""
    if seen.overdue:
        _log.critical("a task of this worker does not end; the worker ends")
    else:
        _log.critical("this worker takes nothing, though messages wait; it ends", queues=list(seen.waiting or ()))
    logging.shutdown()
    for child in active_children():
        if child.pid is None:
            continue
        with suppress(OSError):
            os.kill(child.pid, signal.SIGKILL)
    os._exit(EXIT_CODE)
