"""Commands that a signal ends: real processes with a run under way on a real catalog."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from integration.cli.terminal import Stored, Tierkeeper
from support import locking

TIERKEEPER = (str(Path(sys.executable).with_name("tierkeeper")),)
CELERY = (sys.executable, "-m", "celery", "-A", "worker.app", "tier")
NOHUP = (str(shutil.which("nohup")), *TIERKEEPER)
PATIENCE = 60  # seconds

Process = subprocess.Popen[str]


@pytest.fixture
def catalog(database_url: str) -> Iterator[sa.Engine]:
    """The catalog, to look at and to lock rows of."""
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture
def sweep(tk: Tierkeeper, stored: Stored, catalog: sa.Engine) -> Iterator[Callable[..., Process]]:
    """Starts a `lifecycle run --live` and returns it once it waits, in its run, for a row that is locked."""
    del tk
    stored("a.txt", "a", "--created", "8d")
    started: list[Process] = []

    def begin(program: tuple[str, ...] = TIERKEEPER) -> Process:
        command = [*program, "lifecycle", "run", "--live"]
        started.append(
            subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=os.environ)
        )
        wait(lambda: waits(catalog), started[-1])
        return started[-1]

    with locked(catalog, "blobs"):
        yield begin
        for process in started:
            process.kill()
            with process:  # closes its pipe
                pass


@contextmanager
def locked(catalog: sa.Engine, table: str) -> Iterator[None]:
    """Lock every row of a table in the block."""
    with catalog.begin() as connection:
        connection.execute(sa.text(f"SELECT 1 FROM {table} FOR UPDATE"))  # noqa: S608  a name of this module
        yield


def waits(catalog: sa.Engine, statement: str = "") -> bool:
    """Whether another connection waits for a row, in a statement that has these words."""
    with catalog.connect() as connection:
        return locking.waiting(connection, statement) > 0


def wait(condition: Callable[[], bool], process: Process) -> None:
    """Wait until ``condition`` holds; the process must not end before."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(catalog: sa.Engine) -> list[tuple[str, str | None]]:
    """State and reason of each run of a lifecycle."""
    with catalog.connect() as connection:
        found = connection.execute(
            sa.text("SELECT state, arguments->>'reason' AS reason FROM runs WHERE kind = 'rotate'")
        )
        return [(row.state, row.reason) for row in found]


@pytest.mark.parametrize("program", [TIERKEEPER, CELERY], ids=["tierkeeper", "celery"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_the_run_with_the_command(
    sweep: Callable[..., Process], catalog: sa.Engine, program: tuple[str, ...], number: signal.Signals
) -> None:
    """The run is failed with the signal as the reason, one line says so, and the exit code is that of the signal."""
    process = sweep(program)
    assert runs(catalog) == [("running", None)]
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1]
    assert runs(catalog) == [("failed", f"it was interrupted ({number.name})")]
    assert process.returncode == 128 + number
    assert said == "stopped; nothing more was done\n"


def test_further_signals_do_not_break_off_the_ending(sweep: Callable[..., Process], catalog: sa.Engine) -> None:
    """Signals that come while the run is being ended are ignored: it ends, and the first signal is the exit code."""
    process = sweep()
    with locked(catalog, "runs"):
        process.send_signal(signal.SIGTERM)
        wait(lambda: waits(catalog, "UPDATE runs"), process)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
            time.sleep(0.2)
        assert process.poll() is None
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert runs(catalog) == [("failed", "it was interrupted (SIGTERM)")]


def test_nohup_keeps_a_command_alive(sweep: Callable[..., Process], catalog: sa.Engine) -> None:
    """SIGHUP stays ignored where it was; SIGTERM ends the command."""
    process = sweep(NOHUP)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert (process.poll(), runs(catalog)) == (None, [("running", None)])
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.slow
def test_nohup_keeps_up_alive(tk: Tierkeeper, tmp_path: Path) -> None:
    """SIGHUP stays ignored by `tierkeeper up` too; SIGTERM ends it as it should, with 0."""
    del tk
    log = tmp_path / "log"
    with log.open("w") as stream:
        command = [*NOHUP, "up", "--no-flower", "--no-beat", "--concurrency", "1"]
        up = subprocess.Popen(command, stderr=stream, stdout=stream, text=True, env={**os.environ, "C_FORCE_ROOT": "1"})
    try:
        wait(lambda: "ready" in log.read_text(), up)
        up.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert up.poll() is None
        assert "stopping" not in log.read_text()
        up.send_signal(signal.SIGTERM)
        assert up.wait(timeout=PATIENCE) == 0
    finally:
        up.kill()
