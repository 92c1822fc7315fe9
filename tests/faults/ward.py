"""Workers that fall ill on order, the catalog and tiers they share with a house, and ways to wait for them."""

import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast
from uuid import uuid4

import redis
from celery import Celery
from support import invariants, services
from support.crashing import Step, When
from support.house import LEASES_END, House
from support.processes import LocalProcess

from tierkeeper.base import callers
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.engine.trust import own_objects
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load
from tierkeeper_client.contract import Message, SweepArgs, TaskName
from tierkeeper_client.settings import shared_settings

How = Literal["exit", "crash", "error", "drop", "segfault", "stop", "hang", "hog", "meet"]
TESTS = Path(__file__).parent.parent
SENT, ENDED, DELIVERIES = "faults:sent", "faults:ended", "faults:deliveries"
PATIENCE = 100.0  # seconds; nothing is timed by it, it only ends a test that hangs
_number = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Order:
    """What happens at a step of a sick worker: once at the given call, or ``always``; ``about``: only for this id."""

    step: str
    when: When = "before"
    how: How = "exit"
    call: int = 1
    about: str = ""
    always: bool = False
    together: int = 0


@dataclass(frozen=True, slots=True)
class Ward:
    """A house whose work is done by worker processes; the test's own keeper looks and moves time."""

    house: House
    app: Celery
    broker: redis.Redis
    orders: Path
    folder: Path
    env: Mapping[str, str]
    workers: list[LocalProcess] = field(default_factory=list)

    # -- workers and their illnesses

    def worker(self, *, concurrency: int = 1, env: Mapping[str, str] | None = None) -> LocalProcess:
        """Start a worker and wait until it takes messages."""
        name = f"sick{next(_number)}"
        command = [sys.executable, "-m", "celery", "-A", "faults.sick", "worker", "--loglevel=INFO"]
        command += ["--pool=prefork", f"--concurrency={concurrency}", "--without-gossip", "--without-mingle"]
        process = LocalProcess(
            name, [*command, "-n", f"{name}@here"], folder=self.folder, env={**self.env, **(env or {})}
        )
        self.workers.append(process)
        self.wait_for(lambda: b" ready." in process.logs(), what=f"{name} to be ready", process=process)
        return process

    def order(self, step: Step | str, when: When = "before", how: How = "exit", **more: Any) -> Path:  # noqa: ANN401
        """Have the workers fall ill; returns where it is noted how often that happened."""
        path = self.orders / f"{next(_number):06}.order"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(Order(str(step), when, how, **more))))
        draft.rename(path)
        return path.with_suffix(".struck")

    def heal(self) -> None:
        """Take back every order."""
        for path in self.orders.iterdir():
            path.unlink()

    def stop(self) -> None:
        """End every worker."""
        while self.workers:
            self.workers.pop().kill()

    # -- messages

    def send(self, task: TaskName, args: Message | None = None, *, key: str | None = None) -> str:
        """Send a message; return its id, which is the key of a verb."""
        key = key or str(uuid4())
        self.broker.srem(ENDED, key)
        self.broker.sadd(SENT, key)
        kwargs = {} if args is None else args.model_dump(mode="json")
        self.app.send_task(str(task), kwargs=kwargs, task_id=key, ignore_result=True)
        return key

    def deliver(self, task: TaskName, args: Message | None = None, *, key: str | None = None) -> None:
        """Send a message and wait until it, and what it sent itself, is done with."""
        self.send(task, args, key=key)
        self.quiet()

    def sweep(self) -> None:
        """Rotate and collect, by messages."""
        self.deliver(TaskName.ROTATE, SweepArgs())
        self.deliver(TaskName.COLLECT, SweepArgs())

    def settle(self, *, late: bool = False) -> None:
        """Let the leases end and the workers sweep, as Beat would have them; then nothing may be left to do.

        ``late``: bytes may have been written after their intent was collected: those are reconcile's (R3).
        """
        self.house.pass_time(LEASES_END)
        for _ in range(4):
            self.sweep()
            self.house.pass_time(LEASES_END)
        for _ in range(2 if late else 0):
            self.deliver(TaskName.RECONCILE)
        invariants.check_settled(self.house.keeper)

    # -- waiting

    def open_messages(self) -> list[str]:
        """Return the ids of the messages that were sent and have not ended."""
        return sorted(bytes(found).decode() for found in cast("set[bytes]", self.broker.sdiff([SENT, ENDED])))

    def ended(self) -> int:
        """Return how many deliveries have ended since the start of this test."""
        return int(self.broker.get(DELIVERIES) or 0)

    def quiet(self) -> None:
        """Wait until every message that was sent has ended, those of the workers too."""
        self.wait_for(lambda: not self.open_messages(), what="the messages to be done with")

    def forget(self) -> None:
        """Forget which messages were sent: some will never end."""
        self.broker.delete(SENT, ENDED, DELIVERIES)

    def wait_for(self, condition: Callable[[], bool], *, what: str, process: LocalProcess | None = None) -> None:
        """Wait until ``condition`` holds."""
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until or (process is not None and process.status != "running"):
                logs = b"\n".join(worker.logs()[-3000:] for worker in self.workers).decode(errors="replace")
                msg = f"waited in vain for {what}; the workers' last words:\n{logs}"
                raise AssertionError(msg)
            time.sleep(0.004)


class OpenWard(Protocol):
    """Opens a ward with a worker under a policy; the ward ends with the tests of the file."""

    def __call__(
        self, *, policy: str = ..., concurrency: int = ..., settings: Mapping[str, str] | None = None
    ) -> Ward: ...


def lying(house: House) -> Counter[str]:
    """Return how many objects of artifacts lie in each tier."""
    places = [where.partition("/") for where in house.everything()]
    return Counter(tier for tier, _, location in places if not own_objects.is_own(location))


def struck(note: Path) -> list[int]:
    """Return the process ids that an order struck, in their order."""
    return [int(line) for line in note.read_text().split()] if note.exists() else []


def stands(note: Path) -> bool:
    """Whether who was struck stands still by now: the order is noted before the step, which may come first."""
    return bool(struck(note)) and Path(f"/proc/{struck(note)[0]}/stat").read_text().rpartition(") ")[2].startswith("T")


@contextmanager
def wards(
    postgres: Postgres, template: str, folder: Path, *, settings: Mapping[str, str] | None = None
) -> Iterator[Ward]:
    """A house on services of its own, without workers yet; everything is ended with it."""
    orders = folder / "orders"
    orders.mkdir(parents=True)
    with ExitStack() as stack:
        url = stack.enter_context(services.fresh_database(postgres, template=template))
        valkey = stack.enter_context(services.embedded_valkey())
        env = {
            "TIERKEEPER_HOME": str(folder / "home"),
            "TIERKEEPER_CATALOG__URL": url,
            "TIERKEEPER_BROKER__URL": valkey.url,
            "TIERKEEPER_RESULTS__URL": valkey.url,
            "TIERKEEPER_TIERS__HOT__URL": f"{(folder / 'hot').as_uri()}?fsync=no",
            "TIERKEEPER_TIERS__WARM__URL": f"{(folder / 'warm').as_uri()}?fsync=no&layout=cas",
            "TIERKEEPER_TIERS__COLD__URL": f"{(folder / 'cold').as_uri()}?fsync=no&layout=cas",
            "TIERKEEPER_ENGINE__GRACE": "0s",
            "TIERKEEPER_ENGINE__PARALLEL": "1",
            "TIERKEEPER_RECONCILE__QUARANTINE": "0s",
            "FAULTS_ORDERS": str(orders),
            "FAULTS_NOTES": f"unix://{valkey.socket}",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")])),
            **(settings or {}),
        }
        keeper = stack.enter_context(Keeper.open(load(environ=env)))
        keeper.init(caller=callers.INIT)
        broker = stack.enter_context(redis.Redis(unix_socket_path=str(valkey.socket)))
        app = Celery(set_as_current=False)
        app.conf.update(shared_settings(valkey.url, valkey.url))
        stack.callback(app.close)
        ward = Ward(House(keeper, keeper.settings), app, broker, orders, folder, env)
        stack.callback(ward.stop)
        yield ward
