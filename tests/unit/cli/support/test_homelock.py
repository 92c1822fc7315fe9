"""One set of workers a home, also while a killed one ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tierkeeper.base.errors import InvalidInput
from tierkeeper.cli.support.homelock import lock_home
from tierkeeper.settings.settings import load

_HOLDER = """
import os, sys
from rich.console import Console
from tierkeeper.cli.support.homelock import lock_home
from tierkeeper.cli.support.supervisor import Program, Supervisor
from tierkeeper.settings.settings import load
with lock_home(load(home=sys.argv[1]), by="tierkeeper up") as lock:
    code = "import time; time.sleep(60)  # worker.start"
    Supervisor([Program("worker", [sys.executable, "-c", code])], Console(), lock=lock).start()
    print("started", flush=True)
    input()
    os._exit(1)
"""


def test_what_a_killed_command_left_keeps_others_away(tmp_path: Path) -> None:
    """The holder is named while it lives, then what it left, by name and number; after that the home is free."""
    home = tmp_path / "home"
    settings = load(home=str(home))
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "started\n"
        command, worker = (home / "workers.lock").read_text().splitlines()
        assert command == f"tierkeeper up {holder.pid}"
        child = int(worker.removeprefix("worker "))
        with pytest.raises(InvalidInput, match="`tierkeeper up` runs there already"), lock_home(settings, by="us"):
            pass
        holder.communicate("\n")
    with (
        pytest.raises(InvalidInput, match=rf"was killed there.*worker \(process {child}\)"),
        lock_home(settings, by="us"),
    ):
        pass
    os.kill(child, signal.SIGTERM)
    for _ in range(100):
        try:
            with lock_home(settings, by="us"):
                break
        except InvalidInput:
            continue
    assert (home / "workers.lock").read_text() == ""
