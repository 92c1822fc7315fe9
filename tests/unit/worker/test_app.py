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


def test_every_task_of_the_contract_is_registered_and_routed(tmp_path: Path) -> None:
    """A worker knows exactly the tasks of the contract, each with a queue."""
    listed = run(
        LIST_TASKS,
        TIERKEEPER_HOME=str(tmp_path),
        TIERKEEPER_BROKER__URL="redis://nowhere:1/0",
        TIERKEEPER_CATALOG__URL="postgresql://nowhere:1/x",
    )
    assert set(json.loads(listed)) == set(TaskName)
