"""The worker's own app, in a process that falls ill at the step, in the way and as often as a test says.

``celery -A faults.sick worker``. The product knows nothing of it: each numbered step of the engine is wrapped after
the fork, and what the wrapper finds in the folder of orders (``ward.Order``) happens there. Every message that was
sent and every task that ended is noted in Redis, so that a test knows when nothing is left to wait for.
"""

import importlib
import json
import mmap
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa
from celery import signals
from celery.concurrency.asynpool import AsynPool
from support.crashing import Crash, steps

from tierkeeper import keeper
from worker.app import app

__all__ = ["app"]

SENT, ENDED, DELIVERIES = "faults:sent", "faults:ended", "faults:deliveries"
_HOG_LIMIT = 64 * 1024 * 1024  # bytes that a task may take beyond what its process has
_MEETING_SECONDS = 20.0
_orders = Path(os.environ["FAULTS_ORDERS"])
_dropping: list[bool] = []  # the connection is lost at the next COMMIT; True: when that took effect

# the dead are looked for twenty times a second instead of each five seconds: the tests wait for nothing else
setattr(AsynPool, "timers", property(lambda pool: {pool.maintain_pool: 0.05}))  # noqa: B010  as the class has it


def notes() -> redis.Redis:
    """Return a connection to the Redis in which the notes lie."""
    return redis.Redis.from_url(os.environ["FAULTS_NOTES"])


@signals.worker_process_init.connect
def infect(**_: object) -> None:
    """Wrap every step, in each child after its fork."""
    for step in steps():
        module = importlib.import_module(step.module)
        setattr(module, step.name, _wrapped(str(step), getattr(module, step.name)))


@signals.after_task_publish.connect
def note_sent(headers: dict[str, Any] | None = None, **_: object) -> None:
    """Note a message that a task sent."""
    with notes() as client:
        client.sadd(SENT, str((headers or {})["id"]))


@signals.task_postrun.connect
def note_ended(task_id: str, state: str | None = None, **_: object) -> None:
    """Note a task that ended for good."""
    if state not in {"RETRY", "REJECTED", "IGNORED"}:
        with notes() as client:
            client.sadd(ENDED, task_id)
            client.incr(DELIVERIES)


def _wrapped(step: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever the step takes and gives
        order = _taken(step, args, kwargs)
        if order is None:
            return original(*args, **kwargs)
        if order["how"] == "drop":
            _drop_at_commit(effect=order["when"] == "after")
            return original(*args, **kwargs)
        if order["when"] == "before":
            _fall_ill(order)
            return original(*args, **kwargs)
        result = original(*args, **kwargs)
        _fall_ill(order)
        return result

    return wrapper


def _taken(step: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """Return the order for this call, if there is one and nobody else was faster; note that it struck."""
    for path in sorted(_orders.glob("*.order")):
        try:
            order: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        if order["step"] != step or (order["about"] and order["about"] not in repr((args[1:], kwargs))):
            continue
        if _counted(path.with_suffix(".calls")) < order["call"]:
            continue
        if not order["always"]:
            try:
                path.rename(path.with_suffix(".taken"))
            except FileNotFoundError:
                continue
        _counted(path.with_suffix(".struck"), f"{os.getpid()}\n")
        return {**order, "path": path}
    return None


def _counted(path: Path, line: str = "1\n") -> int:
    with path.open("a+") as file:
        file.write(line)
        file.flush()
        file.seek(0)
        return len(file.readlines())


def _fall_ill(order: dict[str, Any]) -> None:
    match order["how"]:
        case "exit":
            os._exit(9)
        case "crash":
            raise Crash
        case "error":
            raise RuntimeError(f"a fault at {order['step']}")
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "hang":
            time.sleep(3600)
        case "hog":
            _hog()
        case "meet":
            _meet(order)


def _drop_at_commit(*, effect: bool) -> None:
    """Lose the connection at the next COMMIT of this process: before it takes effect, or before its reply comes."""
    engine = keeper.current().engine.catalog.engine
    if not sa.event.contains(engine, "commit", _on_commit):
        sa.event.listen(engine, "commit", _on_commit)
    _dropping.append(effect)


def _on_commit(connection: sa.Connection) -> None:
    if not _dropping:
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    if _dropping.pop():
        driver.commit()
    driver.close()  # the COMMIT that follows finds the connection gone


def _hog() -> None:
    """Take memory until the limit of the process is reached, as the kernel would have it."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + _HOG_LIMIT, before[1]))
    taken = []
    try:
        while True:
            taken.append(bytearray(1024 * 1024))
    finally:
        taken.clear()
        resource.setrlimit(resource.RLIMIT_AS, before)


def _meet(order: dict[str, Any]) -> None:
    """Wait until as many processes are at this step as are wanted."""
    path: Path = order["path"]
    until = time.monotonic() + _MEETING_SECONDS
    while len(path.with_suffix(".struck").read_text().split()) < order["together"] and time.monotonic() < until:
        time.sleep(0.002)
