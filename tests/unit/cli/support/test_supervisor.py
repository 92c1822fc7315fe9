"""Several processes run as one."""

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from rich.console import Console

from tierkeeper.base.backoff import Backoff
from tierkeeper.cli.support import supervisor
from tierkeeper.cli.support.supervisor import HangFinding, Program, Supervisor

SLEEPER = "import time; print('ready'); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"


def _program(name: str, code: str) -> Program:
    return Program(name, [sys.executable, "-c", code])


def _wait(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_lines_are_merged_under_their_names() -> None:
    """Each line of each process carries its name, aligned."""
    printed = io.StringIO()
    run = Supervisor([_program("a", "print('one')"), _program("long", "print('two')")], Console(file=printed))
    run.start()
    _wait(lambda: printed.getvalue().count("\n") == 2)
    run.close()
    assert "a    | one" in printed.getvalue()
    assert "long | two" in printed.getvalue()


def test_a_process_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A dead process is said to be dead, and comes back after a pause."""
    monkeypatch.setattr(supervisor, "PAUSES", Backoff(first=0.1, cap=30.0))
    pids = tmp_path / "pids"
    code = f"import os, time; open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(60)"
    printed = io.StringIO()
    run = Supervisor([_program("worker", code)], Console(file=printed, width=200))
    run.start()
    watcher = Thread(target=run.watch)
    watcher.start()
    try:
        _wait(lambda: pids.exists() and len(pids.read_text().split()) == 1)
        os.kill(int(pids.read_text().split()[0]), signal.SIGKILL)
        _wait(lambda: len(pids.read_text().split()) == 2)
    finally:
        run.stop()
        watcher.join()
        assert run.close()
    assert "killed by SIGKILL; it is started again in" in printed.getvalue()


def test_what_hangs_is_killed_and_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one that the onlooker names is killed, whatever it ignores, and comes back; the others go on."""
    monkeypatch.setattr(supervisor, "PAUSES", Backoff(first=0.1, cap=30.0))
    pids = {name: tmp_path / name for name in ("worker", "beat")}
    programs = [
        _program(name, f"import os; open({str(path)!r}, 'a').write(f'{{os.getpid()}} '); {STUBBORN}")
        for name, path in pids.items()
    ]
    printed = io.StringIO()
    verdicts = [None, HangFinding("worker", "it does not answer")]
    run = Supervisor(
        programs,
        Console(file=printed, width=200),
        patience=0.1,
        onlooker=lambda: verdicts.pop(0) if verdicts else None,
        every=1,
    )
    run.start()
    watcher = Thread(target=run.watch)
    watcher.start()
    try:
        _wait(lambda: pids["worker"].exists() and len(pids["worker"].read_text().split()) == 2)
    finally:
        run.stop()
        watcher.join()
        run.close()
    assert "it does not answer; it is killed" in printed.getvalue()
    assert len(pids["beat"].read_text().split()) == 1


def test_a_stop_is_warm_and_leaves_no_process() -> None:
    """Processes that end when they are asked to are not killed."""
    printed = io.StringIO()
    run = Supervisor([_program("a", SLEEPER), _program("b", SLEEPER)], Console(file=printed))
    run.start()
    _wait(lambda: printed.getvalue().count("ready") == 2)
    assert run.close()


@pytest.mark.parametrize("hurried", [True, False])
def test_what_does_not_end_is_killed(*, hurried: bool) -> None:
    """At the end of the patience, or when hurried, processes that do not end are killed."""
    printed = io.StringIO()
    run = Supervisor([_program("a", STUBBORN)], Console(file=printed), patience=60 if hurried else 0.5)
    run.start()
    _wait(lambda: "ready" in printed.getvalue())
    hurry = Event()
    if hurried:
        hurry.set()
    begun = time.monotonic()
    assert not run.close(hurry=hurry)
    assert time.monotonic() - begun < 10
