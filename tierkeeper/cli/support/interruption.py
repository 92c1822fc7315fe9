"""Signals that ask a command to end: each raises in the main thread, as Ctrl-C does, so that runs end with a reason."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import click

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: after a signal, in which further ones do not break off the ending that it began: a run's end is tried for 15 s
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
        """Raise :class:`Interrupted`: a signal handler.

        Unless the command is ending by an earlier one, less than ``DEAF_SECONDS`` ago: an exception that was raised
        where Python drops it, as in ``__del__``, has ended nothing.
        """
        if time.monotonic() < self._deaf_until and _came_from_a_signal(sys.exception()):
            return
        self._deaf_until = time.monotonic() + DEAF_SECONDS
        self.number = self.number or number
        raise Interrupted(signal.Signals(number).name)

    def explains(self, error: BaseException) -> bool:
        """Return True if ``error`` ended the command because of a signal, or of an answer that says no."""
        if isinstance(error, (click.Abort, KeyboardInterrupt)) or _came_from_a_signal(error):
            return True
        return isinstance(error, OSError) and self.number is not None  # of a terminal that is gone


def _came_from_a_signal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, Interrupted):
            return True
        error = error.__context__
    return False


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let the signals raise in the block; those that are ignored, as SIGHUP is by nohup, stay ignored.

    After one of them came all are ignored: the command is ending, and a further one that met the interpreter's own end
    would change the exit code.
    """
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
            signal.signal(number, handler if interruption.number is None else signal.SIG_IGN)
