"""Scenario 14: workers are restarted one after another while work goes on; messages of other versions are among it."""

import io
import random
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from celery import Celery
from faults import effects
from faults.crew import TENANT, WORKFLOW, Crew, OpenCrew, crews, items
from support import invariants
from support import scale as scales
from support.nodes import Valkey
from support.scale import Scale

import models
from tierkeeper.base import callers
from tierkeeper.embedded.postgres import Postgres
from tierkeeper_client.client import Handle
from tierkeeper_client.contract import QUEUE_OF, InlineContent, Queue, TaskName
from tierkeeper_client.settings import shared_settings

OLD = timedelta(days=10)  # the default policy wants it in warm
SHARE = 20  # artifacts of one message
WARM = 15.0  # seconds in which a worker ends when it is asked to: its task's five, and a margin


@dataclass(slots=True)
class Load:
    """What a crew is given to do while it is restarted."""

    crew: Crew
    chance: random.Random
    sent: dict[str, bytes] = field(default_factory=dict)
    handles: list[Handle] = field(default_factory=list)

    def send(self, messages: int) -> None:
        """Send so many messages, each with its share of artifacts, and have the workers sweep."""
        for _ in range(messages):
            share = {f"part-{len(self.sent) + i:05}.bin": self.chance.randbytes(100) for i in range(SHARE)}
            self.sent.update(share)
            self.handles.append(self.crew.client.store_many(items(share, age=OLD)))
        self.crew.sweep()

    def check(self) -> None:
        """Every message is answered, and everything comes to be in warm, once."""
        for handle in self.handles:
            results = handle.get(60)["results"]
            assert {result["outcome"] for result in results} == {"stored"}
        self.crew.until(
            lambda: self.crew.count("placements", "tier = 'warm'") == len(self.sent) and self.crew.settled(),
            meanwhile=self.crew.sweep,
            what="everything to be in warm",
        )
        effects.check_stored_once(self.crew, self.sent)
        effects.check_moved_once(self.crew, self.sent, tier="warm")


@pytest.mark.slow
def test_rolling_restart(open_crew: OpenCrew, scale: Scale, chance: random.Random) -> None:
    """Each worker is asked to end and begins again, in turn, under load: every message is answered, with one effect.

    None has to be killed, and what is left to do when all of it is over is done at once.
    """
    crew = open_crew()
    for name in ("first", "second"):
        crew.hire(name)
    crew.ready()
    load = Load(crew, chance)
    took = []
    for _ in range(scale(short=1, long=4)):
        for name in sorted(crew.workers):
            load.send(scale(short=5, long=30))
            time.sleep(chance.uniform(0, 0.3))  # somewhere in the middle of it
            started = time.monotonic()
            crew.workers[name].kill("SIGTERM")
            took.append(time.monotonic() - started)
            load.send(2)
            crew.hire(name)
            crew.ready()
    load.send(1)
    assert max(took) < WARM, took
    load.check()
    invariants.check_settled(crew.keeper)


@pytest.mark.slow
def test_messages_of_other_versions(open_crew: OpenCrew) -> None:
    """A task or a field of a later version is refused in words and hurts nobody; what a field lacks has its default."""
    crew = open_crew()
    worker = crew.hire()
    crew.ready()
    pid = worker.pid
    named = {"tenant": TENANT, "workflow": WORKFLOW}
    content = InlineContent.of(b"content").model_dump()
    with Celery("of_another_version", set_as_current=False) as app:
        url = str(crew.house.settings.broker.url)
        app.conf.update(shared_settings(url, url))
        for queue in Queue:
            app.send_task("tierkeeper.of_tomorrow", kwargs={"anything": 1}, queue=str(queue))
        later = app.send_task(
            str(TaskName.STORE), kwargs={**named, "name": "later", "content": content, "of_tomorrow": True}
        )
        answer = later.get(timeout=30)
        assert answer["error"] == "InvalidInput"
        assert "of_tomorrow" in answer["message"]
        for task in (TaskName.ROTATE, TaskName.COLLECT, TaskName.CONVERGE_DUE):
            app.send_task(str(task), kwargs={"of_tomorrow": 1}, queue=str(QUEUE_OF[task]))
        least = app.send_task(
            str(TaskName.STORE),
            kwargs={**named, "name": "least", "content": {"kind": "inline", "data": content["data"]}},
            headers={"of_tomorrow": "1"},
        )
        assert least.get(timeout=30)["outcome"] == "stored"
    assert crew.client.store(b"x", tenant=TENANT, workflow=WORKFLOW, name="after").get(30)["outcome"] == "stored"
    assert worker.pid == pid
    assert worker.status == "running"
    assert crew.count("artifacts") == 2
    crew.until(crew.settled, meanwhile=crew.sweep, what="the rest")
    invariants.check_settled(crew.keeper)


@pytest.mark.slow
def test_old_and_new_code_mixed(
    folder: Path, tmp_path: Path, postgres_server: Postgres, postgres_url: str, valkey: Valkey, chance: random.Random
) -> None:
    """Workers of the code before the newest migration go on while the catalog is migrated, and beside new ones."""
    if not scales.LONG:
        pytest.skip("the long form only (make faults): two versions of everything are started")
    before = code_before(newest_migration(), tmp_path / "before")
    old = {"PYTHONPATH": f"{before}:{before / 'client' / 'src'}"}
    with crews(folder, catalog=postgres_url, broker=valkey.url, prepare=False) as crew:
        run_old = [sys.executable, "-c", "from tierkeeper.cli.main import main; main()", "init"]
        subprocess.run(run_old, env={**crew.env, **old, "HOME": str(folder)}, cwd=folder, check=True)
        # one child, that has seen its catalog: one that begins after the migration refuses it, as it should
        crew.hire("old", concurrency=1, env=old)
        crew.ready()
        load = Load(crew, chance)
        load.send(2)
        load.handles[0].get(60)
        made = crew.keeper.init(caller=callers.INIT)
        assert any(line.startswith("catalog upgraded") for line in made), made
        load.send(10)
        crew.hire("new")
        crew.ready()
        load.send(20)
        load.check()
        read = crew.keeper.sweeps.verify(caller=callers.BEAT)  # for what the old one committed nobody vouches
        assert (read.counts, read.errors) == ({"verified": len(load.sent)}, 0)
        invariants.check_settled(crew.keeper)
        assert all(b"unexpected error" not in worker.all_logs() for worker in crew.workers.values())


def newest_migration() -> str:
    """Return the path of the newest migration."""
    return str(max(Path(models.__file__).parent.glob("migrations/versions/0*.py")))


def code_before(path: str, target: Path) -> Path:
    """Unpack the code as it was before ``path`` was added, with its migrations in one line.

    Skips where the history is not at hand.
    """
    git = ["git", "-C", str(Path(path).parent)]
    found = subprocess.run(
        [*git, "log", "--diff-filter=A", "--format=%H", "-1", "--", path], capture_output=True, text=True, check=False
    )
    if found.returncode or not found.stdout.strip():
        pytest.skip("the history of the code is not here: a clone of the repository has it")
    root = subprocess.run([*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True)
    for earlier in range(1, 50):
        shutil.rmtree(target, ignore_errors=True)
        commit = f"{found.stdout.strip()}~{earlier}"
        archive = subprocess.run(["git", "-C", root.stdout.strip(), "archive", commit], capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
            packed.extractall(target, filter="data")
        if len(ScriptDirectory(str(target / "models" / "migrations")).get_heads()) == 1:
            describe(target)
            return target
    pytest.fail("no commit before it has its migrations in one line")


def describe(code: Path) -> None:
    """Write what an installation of this code says of it: its adapters are found by its entry points, not by ours."""
    project = tomllib.loads((code / "pyproject.toml").read_text())["project"]
    about = code / f"{project['name']}-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (about / "entry_points.txt").write_text("\n".join(groups))
