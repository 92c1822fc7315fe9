"""compose.yaml on a real engine, as a user runs it: docker/env.example filled in, a project of its own."""

import json
import os
import re
import secrets
import subprocess
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

from support.ports import free_ports

ROOT = Path(__file__).parents[2]
IMAGE = "tierkeeper:test"  # nobody's own
PASSED_ON = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "SSL_CERT_FILE")
SETTLE_TIMEOUT = 420  # seconds until all are healthy; 40 on an idle machine: the first health check comes after 30


class Stack:
    """All services with their profiles; nothing of the developer's ``.env`` or environment gets in."""

    def __init__(self, folder: Path) -> None:
        self.valkey_port, self.flower_port = free_ports(2)
        self.project = f"tierkeeper-test-{secrets.token_hex(3)}"
        self.secrets = {name: secrets.token_hex(12) for name in ("POSTGRES", "VALKEY", "FLOWER")}
        self.keys = f"k1:{b64encode(secrets.token_bytes(32)).decode()}"
        self._file = folder / ".env"
        values = {f"{name}_PASSWORD": password for name, password in self.secrets.items()} | {
            "COMPOSE_PROFILES": "flower",
            "TIERKEEPER_MESSAGES__KEYS": self.keys,
            "AWS_SECRET_ACCESS_KEY": "of-nobody",
        }
        text = (ROOT / "docker" / "env.example").read_text()
        for name, value in values.items():
            text, found = re.subn(rf"^(# )?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
            assert found == 1, f"docker/env.example has no line for {name}"
        ports = f"VALKEY_PORT={self.valkey_port}\nFLOWER_HOST_PORT={self.flower_port}\n"
        self._file.write_text(f"{text}\n{ports}TIERKEEPER_TAG={IMAGE.partition(':')[2]}\n")

    def compose(self, *arguments: str, given: bytes | None = None, check: bool = True) -> bytes:
        """Run ``docker compose`` and return what it prints; ``given`` is its input."""
        done = self._compose(*arguments, given=given)
        if check and done.returncode != 0:
            raise AssertionError(said(done))
        return done.stdout

    def down(self, *arguments: str) -> None:
        """Remove all containers and networks, ``--volumes`` too where it is asked.

        An engine may keep an endpoint of a container that is gone, and then refuses to remove that one network
        (moby's issues 42119 and 43286): it stays, with no container in it, and the next ``up`` takes it as it is.
        """
        done = self._compose("down", *arguments)
        left = self.compose("ps", "--all", "--quiet")
        if left or (done.returncode != 0 and b"has active endpoints" not in done.stderr):
            raise AssertionError(said(done))

    def _compose(self, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        where = ("--project-directory", str(ROOT), "--env-file", str(self._file), "--project-name", self.project)
        return subprocess.run(
            ["docker", "compose", *where, *arguments],
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            input=b"" if given is None else given,
            capture_output=True,
            check=False,
            timeout=900,
        )

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """Return what the engine knows of the project's containers, ended ones too."""
        ids = self.compose("ps", "--all", "--quiet", *services).decode().split()
        done = subprocess.run(["docker", "inspect", *ids], capture_output=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def settle(self) -> None:
        """Wait until every service that has a health check is healthy and init has ended well."""
        until = time.monotonic() + SETTLE_TIMEOUT
        while bad := [f"{c['Name']}: {told}" for c in self.containers() if (told := trouble(c)) is not None]:
            assert time.monotonic() < until, [*bad, self.compose("logs", "--tail", "20").decode()]
            time.sleep(1)

    def tierkeeper(self, *arguments: str, given: bytes | None = None) -> bytes:
        """Run a command in a container of its own, as the documents say."""
        return self.compose("run", "--rm", "-T", "init", "tierkeeper", *arguments, given=given)

    def broker(self, database: int = 0) -> str:
        """Return the broker's URL as producers on this machine have it."""
        return f"redis://:{self.secrets['VALKEY']}@127.0.0.1:{self.valkey_port}/{database}"


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return what a command that failed was and said."""
    return f"{' '.join(done.args)}: {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}"


def service(container: dict[str, Any]) -> str:
    """Return the service that a container is of."""
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def trouble(container: dict[str, Any]) -> str | None:
    """Say why a container is not as it should be (yet); None where it is."""
    state = container["State"]
    if service(container) == "init":
        return (
            None if state["Status"] == "exited" and state["ExitCode"] == 0 else f"{state['Status']} {state['ExitCode']}"
        )
    health = state["Health"]["Status"]
    return None if state["Status"] == "running" and health == "healthy" else f"{state['Status']}, {health}"
