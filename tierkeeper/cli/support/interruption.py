"""Signals that ask a command to end: each raises in the main thread, as Ctrl-C does, so that runs end with a reason."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: after a signal, in which further ones do not break off the ending: a run's end is tried for 15 s
#: (:mod:`tierkeeper.engine.run_life`), and each try may wait for a lock, 30 s by default (`catalog.lock_timeout`)
DEAF_SECONDS: Final = 60.0


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end; the text is the signal's name."""


class Interruption:
    """The first signal that asked this command to end: its number is ``number``, None before."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._deaf_until = 0.0

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ended by the signal, or by an answer that says no, as by Ctrl-C."""
        return 128 + (self.number or signal.SIGINT)

    def raise_once(self, number: int, _frame: FrameType | None) -> None:
        """Raise :class:`Interrupted`, unless another signal did so less than ``DEAF_SECONDS`` ago: a signal handler."""
        if time.monotonic() < self._deaf_until:
            return
        self._deaf_until = time.monotonic() + DEAF_SECONDS
        self.number = self.number or number
        raise Interrupted(signal.Signals(number).name)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let the signals raise in the block; those that are ignored, as SIGHUP is by nohup, stay ignored."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield interruption
        return
    before = {
        number: signal.signal(number, interruption.raise_once)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
