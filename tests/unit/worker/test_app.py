import json
import subprocess
import sys
from pathlib import Path

from tierkeeper_client.contract import TaskName

ROOT = Path(__file__).parents[3]
LIST_TASKS = """
import json
from worker.app import app
app.loader.import_default_modules()
print(json.dumps({name: app.amqp.router.route({}, name)["queue"].name for name in app.tasks if "tierkeeper" in name}))
"""


def run(code: str, **environ: str) -> str:
    """What a fresh Python prints that runs ``code`` in the project's folder, with nothing but ``environ``."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_the_app_is_imported_without_any_service(tmp_path: Path) -> None:
    """Importing the app asks for no setting and starts nothing."""
    run("import worker.app, worker.health, beat_schedule", TIERKEEPER_HOME=str(tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_who_only_sends_starts_no_catalog(tmp_path: Path) -> None:
    """Beat and Flower configure the app and sign without a catalog: the embedded one is not started for them."""
    code = "from worker.app import app; print(app.conf.broker_url); app.amqp.send_task_message"
    home = tmp_path / "home"
    assert "nowhere" in run(code, TIERKEEPER_HOME=str(home), TIERKEEPER_BROKER__URL="redis://nowhere:1/0")
    assert not home.exists()


def test_a_worker_without_a_catalog_ends(tmp_path: Path) -> None:
    """Where the embedded catalog cannot be started the worker says so and ends before it takes a message."""
    home = tmp_path / "home"
    home.write_text("a file, where the folder of all state should be")
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--pool=solo"],
        cwd=ROOT,
        env={"TIERKEEPER_HOME": str(home), "TIERKEEPER_BROKER__URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert str(home) in done.stderr
    assert "Connection refused" not in done.stderr


def test_every_task_of_the_contract_is_registered_and_routed(tmp_path: Path) -> None:
    """A worker knows exactly the tasks of the contract, each with a queue."""
    listed = run(
        LIST_TASKS,
        TIERKEEPER_HOME=str(tmp_path),
        TIERKEEPER_BROKER__URL="redis://nowhere:1/0",
        TIERKEEPER_CATALOG__URL="postgresql://nowhere:1/x",
    )
    assert set(json.loads(listed)) == set(TaskName)
