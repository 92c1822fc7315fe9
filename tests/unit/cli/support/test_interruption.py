"""Signals that ask a command to end."""

import gc
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tierkeeper.cli.support import interruption
from tierkeeper.cli.support.interruption import Interrupted, interruptible
from tierkeeper.engine import run_life
from tierkeeper.settings.groups import CatalogSettings

ENDING = """
import atexit, os, signal, sys
from tierkeeper.cli.main import cli, main
atexit.register(os.kill, os.getpid(), signal.SIGTERM)
cli.command(name="long")(lambda: signal.raise_signal(signal.SIGTERM))
sys.argv = ["tierkeeper", "long"]
main()
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of this process, put back after a test whose block ignores the signals in the end."""
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_while_the_interpreter_ends_changes_no_exit_code() -> None:
    """The first one decides it, however late a further one comes."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (143, "stopped; nothing more was done\n")


def test_a_signal_raises_once_and_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second signal is ignored while the first one's ending is under way, for a time; the first one counts."""
    with interruptible() as stopped:
        assert (stopped.number, stopped.exit_code) == (None, 130)
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted:
            signal.raise_signal(signal.SIGHUP)
            try:
                int("no number")
            except ValueError:  # an error while it ends
                signal.raise_signal(signal.SIGHUP)
            late = time.monotonic() + interruption.DEAF_SECONDS
            monkeypatch.setattr(time, "monotonic", lambda: late + 1)
            with pytest.raises(Interrupted, match="SIGHUP"):
                signal.raise_signal(signal.SIGHUP)
        assert stopped.exit_code == 143


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_dropped_is_not_the_last_word() -> None:
    """An exception out of ``__del__`` is dropped: the next signal raises, and a later error is told as what it is."""

    class Dropping:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with interruptible() as stopped:
        Dropping()
        gc.collect()  # the exception is dropped at the latest here
        assert not stopped.explains(RuntimeError("a fault"))
        with pytest.raises(Interrupted, match="SIGINT") as raised:
            signal.raise_signal(signal.SIGINT)
        assert stopped.explains(raised.value)
        fault = RuntimeError("while it ends")
        fault.__context__ = raised.value
        assert stopped.explains(fault)
        assert stopped.explains(OSError("the terminal is gone"))


def test_the_handlers_are_put_back() -> None:
    """After the block each signal has the handler that it had; one that is ignored was ignored in the block too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_has_no_handlers() -> None:
    """A command that is run in another thread works, without handlers."""

    def work() -> int | None:
        with interruptible() as stopped:
            return stopped.number

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(work).result() is None


def test_the_ending_of_a_run_fits_into_the_time_without_signals() -> None:
    """A second signal cannot break off the end of a run that waits for the catalog, and once more for a lock."""
    longest = run_life._END_SECONDS + CatalogSettings().lock_timeout.total_seconds()
    assert longest < interruption.DEAF_SECONDS
