"""A process ends with its supervisor, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_CHILD = """
import signal, sys, time
from tierkeeper.base import supervised
def end(*_):
    print("told to end", flush=True)
    open(sys.argv[1], "a").write("ended")
    sys.exit()
signal.signal(signal.SIGTERM, end)
time.sleep(float(sys.argv[2]))
supervised.end_with_supervisor()
open(sys.argv[1], "a").write("begun ")
time.sleep(60)
"""
_SUPERVISOR = """
import sys, threading, time
from rich.console import Console
from tierkeeper.cli.support.supervisor import Program, Supervisor
run = Supervisor([Program("child", [sys.executable, *sys.argv[1:]])], Console())
starter = threading.Thread(target=run.start)  # the thread that started a process ends, the supervisor does not
starter.start()
starter.join()
print("started", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("late", [False, True])
def test_a_process_is_told_to_end_when_its_supervisor_was_killed(tmp_path: Path, *, late: bool) -> None:
    """Also one that begins to look only then; what it prints to the pipe that nothing reads does not hinder it."""
    said = tmp_path / "said"
    command = [sys.executable, "-c", _SUPERVISOR, "-c", _CHILD, str(said), "2" if late else "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as above:
        assert above.stdout is not None
        assert above.stdout.readline() == "started\n"
        if not late:
            _wait_for(said, "begun ")
            time.sleep(0.5)
            assert said.read_text() == "begun "
        os.kill(above.pid, signal.SIGKILL)
        _wait_for(said, "ended")


def _wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
