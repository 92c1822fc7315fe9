"""The wheels alone, with the newest and with the lowest versions that they declare, do what the README says."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from packaging.version import Version
from support.deployment import wait_for
from support.http_status import status

from shipped import alone
from shipped.alone import Environment

pytestmark = pytest.mark.shipped
BEATS = 150  # seconds in which Beat has sent everything that it sends each minute, and workers have answered
NAME = "acme/reports/week-47.md"
EVERY_MODULE = """
import importlib, pkgutil, sys
for each in sys.argv[1:]:
    package = importlib.import_module(each)
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{each}."):
        if ".migrations." not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
"""
REDIS = ("kombu.transport.redis", "celery.backends.redis")
ENQUEUE = """
import sys
from tierkeeper_client import TierkeeperClient
broker = f"redis+socket://{sys.argv[1]}/.tierkeeper/run/valkey.sock"
client = TierkeeperClient(broker, result_url=broker)
answer = client.store(b"# Week 48", tenant="acme", workflow="reports", name="week-48.md").get(30)
print(answer["ref"]["version"])
"""


@contextmanager
def up(application: Environment) -> Iterator[None]:
    """Run ``tierkeeper up`` as a user does. Interrupted, it ends by itself, without any traceback."""
    log = application.place / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(application.bin / "tierkeeper"), "up", "--concurrency", "1"],
            cwd=application.place,
            env=application.env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        try:
            ended = process.wait(alone.RUN_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert ended in {0, 130}, log.read_text()
    assert "Traceback" not in log.read_text()


def flower(application: Environment, *, login: bool) -> int:
    """Return the HTTP status of Flower's first page; 0 while nobody answers."""
    url = f"http://127.0.0.1:{application.variables['TIERKEEPER_FLOWER__PORT']}/workers"
    password = (application.place / ".tierkeeper" / "flower-password").read_text().strip() if login else None
    try:
        return status(url, login=password and f"tierkeeper:{password}")
    except OSError:
        return 0


def tiers(application: Environment, name: str) -> set[str]:
    """Return the tiers in which an artifact has a copy."""
    shown = json.loads(application.run("tierkeeper", "show", name, "-o", "json").stdout)
    return {each["tier"] for each in shown["placements"] if each["state"] == "present"}


def healthy(application: Environment) -> bool:
    """Return whether everything that should get done gets done."""
    return application.run("tierkeeper", "health", check=False).returncode == 0


def test_help_and_version(application: Environment) -> None:
    """The commands are there, and say which version they are of."""
    assert "lifecycle" in application.run("tierkeeper", "--help").stdout
    assert application.run("tierkeeper", "--version").stdout.startswith("tierkeeper, version ")
    assert "lifecycle" in application.run("celery", "-A", "worker.app", "tier", "--help").stdout


def test_every_module_can_be_imported(application: Environment, client_s3: Environment) -> None:
    """No module of the wheels asks for what they do not declare, or for more than the version that they declare."""
    application.run("python", "-c", EVERY_MODULE, "tierkeeper", "worker", "tasks", "models", "beat_schedule", *REDIS)
    client_s3.run("python", "-c", EVERY_MODULE, "tierkeeper_client", *REDIS)


@pytest.mark.row("W9", "from its wheels in an empty environment")
@pytest.mark.row("A10", "health checks")
def test_journey(application: Environment, client: Environment) -> None:
    """Worker, Beat and Flower run; what is stored by message moves by a sweep and comes back byte for byte."""
    content = os.urandom(100_000)
    (application.place / "week-47.md").write_bytes(content)
    with up(application):
        wait_for(lambda: flower(application, login=False) == 401, timeout=60, what="Flower's refusal")
        assert flower(application, login=True) == 200
        store = ("store", "week-47.md", "--tenant", "acme", "--workflow", "reports", "--created", "8d")
        application.run("tierkeeper", *store, "--enqueue", "--wait", "30s")
        assert client.run("python", "-c", ENQUEUE, str(application.place)).stdout == "1\n"
        application.run("tierkeeper", "lifecycle", "run", "--live", "--enqueue")
        wait_for(lambda: tiers(application, NAME) == {"warm"}, timeout=60, what="the sweep", every=0.5)
        application.run("tierkeeper", "get", NAME, "back.md")
        assert (application.place / "back.md").read_bytes() == content
        assert application.run("tierkeeper", "get", "acme/reports/week-48.md", "-").stdout == "# Week 48"
        wait_for(lambda: healthy(application), timeout=BEATS, what="health: Beat, and a canary of each queue", every=2)


@pytest.mark.parametrize("name", ["application", "client", "client-s3"])
def test_declarations_agree(programs: dict[str, Path], place: Path, name: str) -> None:
    """What is installed fits together, as pip sees it."""
    Environment(programs[name], place, {}).run("python", "-m", "pip", "check")


@pytest.mark.parametrize("resolution", ["lowest"], indirect=True, scope="session")
def test_bounds_are_what_was_tried(wheels: dict[str, Path], application: Environment, client_s3: Environment) -> None:
    """Every lower bound is the version that the lowest environments have: none promises what was not tried."""
    for name, environment, extra in (("tierkeeper", application, "embedded"), ("tierkeeper-client", client_s3, "s3")):
        installed = environment.versions()
        for each in alone.declared(wheels[name], {extra}):
            found = Version(installed[each.name.lower()]).release
            for bound in each.specifier:
                lowest = Version(bound.version).release
                assert found[: len(lowest)] == lowest, f"{each}: installed is {installed[each.name.lower()]}"
