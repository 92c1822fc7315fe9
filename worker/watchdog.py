"""Ends a worker that has gone deaf: one that takes nothing of what waits for it, though it is idle.

A connection to the broker whose other end is gone looks open for ever, to the worker as to everybody who asks whether
its process lives. A thread of the worker's first process looks at the queues over a fresh connection. Messages that
wait in every look for ``health.stalled``, while no task is at work and none was taken, are proof enough: whatever
runs this worker starts it again. A worker that is busy, or a broker that does not answer, proves nothing.
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

EXIT_CODE: Final = 75  # EX_TEMPFAIL: start it again
LOOKS: Final = 5  # within the time that makes a worker stalled

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: how many tasks were ever taken, whether one is at work, where messages wait (None: not known)."""

    taken: int
    busy: bool
    waiting: Sequence[str] | None


class Patience:
    """Says after which looks a worker has stalled for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._taken = -1
        self._since: float | None = None

    def exhausted(self, look: Look, *, now: float) -> bool:
        """Whether it has, with this look at ``now``."""
        idle = not look.busy and look.taken == self._taken and bool(look.waiting)
        self._taken = look.taken
        if not idle:
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since is not None and now - self._since >= self._seconds


class Watchdog(threading.Thread):
    """Looks until :meth:`stop`; calls ``end`` once when the patience is exhausted."""

    def __init__(self, look: Callable[[], Look], *, stalled: float, end: Callable[[Look], None]) -> None:
        super().__init__(name="tierkeeper-watchdog", daemon=True)
        self._look = look
        self._every = stalled / LOOKS
        self._patience = Patience(stalled)
        self._end = end
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look."""
        while not self._stopping.wait(self._every):
            seen = self._look()
            if self._patience.exhausted(seen, now=time.monotonic()) and not self._stopping.is_set():
                self._end(seen)
                return

    def stop(self) -> None:
        """Look no more: the worker ends by itself."""
        self._stopping.set()


def start(app: Celery, *, stalled: float) -> Watchdog:
    """Watch the worker of this process."""
    watchdog = Watchdog(lambda: look(app), stalled=stalled, end=end)
    watchdog.start()
    return watchdog


def look(app: Celery) -> Look:
    """Look at this process and, over a fresh connection, at its queues."""
    # first the process: a message that it takes in between is no longer seen waiting
    taken, busy = state.all_total_count[0], bool(state.active_requests)
    waiting = None
    if not busy:
        with suppress(KombuError, OSError, *app.connection_for_write().connection_errors):
            waiting = broker.waiting(app, list(app.amqp.queues.consume_from))
    return Look(taken, busy, waiting)


def end(seen: Look) -> None:
    """End this process and its children, whatever they are stuck in."""
    _log.critical("this worker takes nothing, though messages wait; it ends", queues=list(seen.waiting or ()))
    logging.shutdown()
    for child in active_children():
        if child.pid is None:
            continue
        with suppress(OSError):
            os.kill(child.pid, signal.SIGKILL)
    os._exit(EXIT_CODE)
