"""No file of the working folder decides which code a process of ours runs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support import checkout, prepared
from support.checkout import ROOT

from tierkeeper.base import supervised
from tierkeeper.cli.support import programs
from tierkeeper.cli.support.session import Session
from tierkeeper.settings.settings import Settings
from worker import start

ENVIRONMENT = {
    "TIERKEEPER_BROKER__URL": "redis://127.0.0.1:1/0",
    "TIERKEEPER_CATALOG__URL": "postgresql://127.0.0.1:1/none",
    "PYTHONPATH": checkout.first(),
}
IN_A_THREAD = """
import os, sys, threading
import worker.app, celery
found = []
reading = threading.Thread(target=lambda: found.append(celery.current_app.conf.task_acks_late))
reading.start()
reading.join()
print(found, os.getcwd() in sys.path)
"""
BY_HAND = re.compile(r"python3? -m worker\b|celery -A worker\.app (?:worker|beat|flower)|\"celery\", \"-A\"")
SAID = re.compile(r"`celery -A worker.app worker` starts the same worker")


def _run(command: Any, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
    where = {**ENVIRONMENT, "TIERKEEPER_HOME": str(folder.parent / "home"), **environment}
    pipe = os.pipe()  # as of a supervisor that lives
    try:
        return subprocess.run(
            command, cwd=folder, env=where, capture_output=True, text=True, check=False, timeout=60, stdin=pipe[0]
        )
    finally:
        for end in pipe:
            os.close(end)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that another user prepared."""
    here = tmp_path / "prepared"
    here.mkdir()
    return here


@pytest.mark.parametrize(
    ("name", "arguments", "ends", "says"),
    [
        ("report", (), 0, "tierkeeper"),  # it imports all tasks, as a worker does
        ("flower", ("--certfile=none",), 1, "Both 'certfile' and 'keyfile'"),  # said after its configuration was read
        ("beat", ("--max-interval=none",), 2, "max-interval"),
    ],
)
def test_what_up_starts_runs_nothing_of_the_working_folder(
    folder: Path, name: str, arguments: tuple[str, ...], ends: int, says: str
) -> None:
    """Worker, Beat and Flower import from the installation alone, whatever lies where `up` was called."""
    mark = prepared.prepare(folder)
    session = SimpleNamespace(
        settings=Settings.model_validate({"home": folder.parent / "home"}), state=SimpleNamespace(config=None)
    )
    program = programs.celery(cast("Session", session), name, *arguments)
    done = _run(program.command, folder, **program.environment)
    assert not mark.exists(), mark.read_text()
    assert done.returncode == ends, done.stderr
    assert says in done.stdout + done.stderr


def test_helper_processes_and_a_configuration_of_ones_own(folder: Path, tmp_path: Path) -> None:
    """Python that a process starts looks elsewhere too; Flower reads the file that FLOWER_CONF names."""
    mark = prepared.prepare(folder)
    own = tmp_path / "own.py"
    own.write_text("import os\nos.write(1, os.environ['PYTHONSAFEPATH'].encode())\ncertfile = 'none'\n")
    command = [sys.executable, "-P", "-m", "worker.start", "flower"]
    done = _run(command, folder, FLOWER_CONF=str(own))
    assert (done.returncode, done.stdout, mark.exists()) == (1, "1", False), done.stderr


@pytest.mark.parametrize(
    ("environment", "kept"), [({}, str(start.FLOWER_TASKS)), ({"FLOWER_MAX_TASKS": "70"}, "70")], ids=["ours", "given"]
)
def test_flower_keeps_few_tasks(folder: Path, tmp_path: Path, environment: dict[str, str], kept: str) -> None:
    """Its memory does not grow with each of 100 000 tasks; who wants more of them says so in its environment."""
    own = tmp_path / "own.py"
    told = "import os\nfrom tornado.options import options\nos.write(1, str(options.max_tasks).encode())\n"
    own.write_text(told + "certfile = 'none'\n")
    command = [sys.executable, "-P", "-m", "worker.start", "flower"]
    done = _run(command, folder, FLOWER_CONF=str(own), **environment)
    assert (done.returncode, done.stdout) == (1, kept), done.stderr


def test_neither_threads_nor_django_look_there(folder: Path, tmp_path: Path) -> None:
    """Threads get our app and not Celery's default, which reads a file there; Django's support is left out."""
    mark = prepared.prepare(folder)
    path = checkout.first(prepared.django(tmp_path / "site"))
    done = _run([sys.executable, "-P", "-c", IN_A_THREAD], folder, DJANGO_SETTINGS_MODULE="site", PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (0, "[True] False\n"), done.stderr
    assert not mark.exists(), mark.read_text()


def test_without_safe_path_nothing_is_started(tmp_path: Path) -> None:
    """Started without -P, it says so and ends."""
    done = _run([sys.executable, "-m", "worker.start", "report"], tmp_path)
    assert (done.returncode, done.stderr) == (2, start.UNSAFE)


def test_a_supervised_process_ends_with_its_supervisor(tmp_path: Path) -> None:
    """A pipe that is at its end says that the supervisor is gone; without the flag standard input says nothing."""
    code = "import sys, time\nfrom worker import start\nstart.celery.main = lambda: time.sleep(3)\n"
    code += "start.main(sys.argv[1:])"
    for flag, ends in ((supervised.FLAG, -signal.SIGTERM), ("--quiet", 0)):
        command = [sys.executable, "-P", "-c", code, flag]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == ends


def test_documents_start_processes_the_same_way() -> None:
    """No document, image or service starts one of ours from the working folder, but where it says what that means."""
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "compose.yaml"]
    pages += [path for path in ROOT.glob("docker/*") if path.is_file()]
    pages += [*ROOT.glob("docs/**/*.md"), *ROOT.glob("worker/*.py"), *ROOT.glob("tierkeeper/cli/**/*.py")]
    assert len(pages) > 100
    found = {str(page.relative_to(ROOT)) for page in pages if BY_HAND.search(SAID.sub("", page.read_text()))}
    assert not found
