"""compose.yaml as a user runs it: everything starts, stays, is used from outside, scaled, killed, taken down, up again.

The tests share one stack and go from the first to the last.
"""

import json
import os
import random
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dockerengine.stack import Stack, service, trouble
from support.http_status import status

from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import Queue
from tierkeeper_client.errors import TierkeeperError

pytestmark = pytest.mark.docker

WATCH = float(os.environ.get("TIERKEEPER_TEST_WATCH", "20"))  # seconds in which nothing may restart
ANSWER_TIMEOUT = 60
TENANT, WORKFLOW = "acme", "reports"
SMALL, AGED, LARGE = "small.bin", "aged.bin", "large.bin"
WORKERS = [f"worker-{queue}" for queue in Queue]
ROTATED = 150  # seconds in which Beat's next minute comes and the sweep has copied


def content(name: str) -> bytes:
    """Return an artifact's bytes."""
    size = 3_000_000 if name == LARGE else 20_000
    return random.Random(name).randbytes(size)  # noqa: S311  test data, not a key


def ref(name: str) -> str:
    """Return an artifact as the command line names it."""
    return f"{TENANT}/{WORKFLOW}/{name}"


def client(stack: Stack, *, keys: str | None) -> TierkeeperClient:
    """Return a producer on this machine, outside of every container."""
    return TierkeeperClient(stack.broker(), result_url=stack.broker(1), keys=keys)


def store(stack: Stack, name: str, *, age: timedelta | None = None, keys: str | None = None) -> dict[str, Any]:
    """Store from outside, through the published port, signed, and wait for the answer."""
    created = None if age is None else datetime.now(UTC) - age
    with client(stack, keys=keys or stack.keys) as opened:
        sent = opened.store(content(name), tenant=TENANT, workflow=WORKFLOW, name=name, created=created)
        return sent.get(ANSWER_TIMEOUT)


def present(stack: Stack, name: str) -> list[str]:
    """Return the tiers with a present copy, as the command line tells it in a running worker."""
    told = stack.compose("exec", "-T", "worker-verbs", "tierkeeper", "show", ref(name), "-o", "json")
    placements = json.loads(told)["placements"]
    return [placement["tier"] for placement in placements if placement["state"] == "present"]


def restarts(stack: Stack) -> dict[str, int]:
    """Return how often each service was started again."""
    return {service(found): found["RestartCount"] for found in stack.containers()}


def reaches(stack: Stack, inside: str, host: str, port: int) -> bool:
    """Say whether a service can open a connection to another."""
    code = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    done = subprocess.run(
        ["docker", "exec", stack.containers(inside)[0]["Id"], "python", "-c", code], capture_output=True, check=False
    )
    assert done.returncode == 0 or b"socket." in done.stderr or b"Error" in done.stderr, done
    return done.returncode == 0


def environment(stack: Stack, inside: str) -> str:
    """Return the whole environment of a service's container."""
    return "\n".join(stack.containers(inside)[0]["Config"]["Env"])


@pytest.mark.row("W9", "compose.yaml comes up")
def test_everything_is_healthy_and_stays(stack: Stack) -> None:
    """All services come up healthy, and none is started again while it is watched."""
    assert set(restarts(stack)) == {"postgres", "valkey", "init", *WORKERS, "beat", "flower"}
    until = time.monotonic() + WATCH
    while time.monotonic() < until:
        assert set(restarts(stack).values()) == {0}
        assert [trouble(found) for found in stack.containers()] == [None] * len(restarts(stack))
        time.sleep(1)


@pytest.mark.row("W9", "compose.yaml is used from outside")
def test_store_from_outside(stack: Stack) -> None:
    """A producer on the host stores by a signed message and the bytes come back; an unsigned message is refused."""
    assert store(stack, SMALL)["tiers"] == ["hot"]
    assert stack.tierkeeper("get", ref(SMALL), "-") == content(SMALL)
    with client(stack, keys=None) as opened:
        sent = opened.store(b"unsigned", tenant=TENANT, workflow=WORKFLOW, name="unsigned")
        with pytest.raises(TierkeeperError, match="not signed"):
            sent.get(ANSWER_TIMEOUT)


def test_files_go_in_by_stdin(stack: Stack) -> None:
    """A file of the host too large for a message is stored through stdin and comes back on stdout."""
    stack.tierkeeper("store", "-", "--tenant", TENANT, "--workflow", WORKFLOW, "--name", LARGE, given=content(LARGE))
    assert stack.tierkeeper("get", ref(LARGE), "-") == content(LARGE)


@pytest.mark.row("W3", "tier rotation")
@pytest.mark.row("W9", "compose.yaml turns the tiers")
def test_tiers_turn_by_themselves(stack: Stack) -> None:
    """Beat, broker and workers move what is old enough to the next tier, with nobody's help."""
    store(stack, AGED, age=timedelta(days=10))
    until = time.monotonic() + ROTATED
    while (tiers := present(stack, AGED)) != ["warm"]:
        assert time.monotonic() < until, tiers
        time.sleep(3)
    assert stack.tierkeeper("get", ref(AGED), "-") == content(AGED)


@pytest.mark.row("W4", "behind a login")
def test_flower_is_behind_its_login(stack: Stack) -> None:
    """Flower answers nobody without its login, shows the workers with it, and its buttons are dead."""
    url, login = f"http://127.0.0.1:{stack.flower_port}", f"operator:{stack.secrets['FLOWER']}"
    assert status(f"{url}/api/workers") == 401
    assert status(f"{url}/api/workers", login="operator:guess") == 401
    assert status(f"{url}/api/workers", login=login) == 200
    assert status(f"{url}/api/worker/shutdown/worker@any", login=login, method="POST") == 403


@pytest.mark.parametrize("name", ["beat", "flower"])
def test_beat_and_flower_have_the_broker_alone(stack: Stack, name: str) -> None:
    """Neither reaches PostgreSQL nor has its password or AWS's; asked for the catalog, they start none of their own."""
    assert reaches(stack, "worker-purge", "postgres", 5432)
    assert reaches(stack, name, "valkey", 6379)
    assert not reaches(stack, name, "postgres", 5432)
    found = environment(stack, name)
    assert stack.secrets["VALKEY"] in found
    assert stack.secrets["POSTGRES"] not in found
    assert "AWS_" not in found
    assert (stack.keys in found) is (name == "beat")
    asked = subprocess.run(
        ["docker", "exec", stack.containers(name)[0]["Id"], "tierkeeper", "stats"], capture_output=True, check=False
    )
    assert asked.returncode == 6, asked
    assert b"embedded" in asked.stderr


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_servers_have_their_own_password_alone(stack: Stack, name: str) -> None:
    """PostgreSQL and Valkey know one password each, and cannot reach one another."""
    found = environment(stack, name)
    assert [secret for secret in stack.secrets.values() if secret in found] == [stack.secrets[name.upper()]]
    assert stack.keys not in found
    networks = {each: set(stack.containers(each)[0]["NetworkSettings"]["Networks"]) for each in ("postgres", "valkey")}
    assert not networks["postgres"] & networks["valkey"]


@pytest.mark.row("W10", "many workers of a queue")
def test_workers_scale_and_outlive_a_kill(stack: Stack) -> None:
    """Three workers of one queue are all healthy; one that is killed with all its processes is started again."""
    stack.compose("up", "--detach", "--no-recreate", "--scale", "worker-transition=3")
    assert len(stack.containers("worker-transition")) == 3
    store(stack, "before-the-kill")
    victim = stack.containers("worker-ingest")[0]
    # from inside: the engine takes a `docker kill` for somebody's wish and leaves it at that
    subprocess.run(["docker", "exec", victim["Id"], "sh", "-c", "kill -9 -1"], capture_output=True, check=False)
    stack.settle()
    assert restarts(stack)["worker-ingest"] == 1
    assert {found["RestartCount"] for found in stack.containers("worker-transition")} == {0}
    assert store(stack, "after-the-kill", age=timedelta(days=10))["tiers"] == ["hot"]
    assert stack.tierkeeper("get", ref("before-the-kill"), "-") == content("before-the-kill")


def test_data_outlive_down_and_up(stack: Stack) -> None:
    """All containers are removed and made anew: every artifact comes back byte for byte."""
    stack.down()
    stack.compose("up", "--detach")
    stack.settle()
    for name in (SMALL, AGED, LARGE):
        assert stack.tierkeeper("get", ref(name), "-") == content(name)
    assert set(restarts(stack).values()) == {0}
