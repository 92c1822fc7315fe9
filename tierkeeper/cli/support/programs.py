"""The processes of Celery that ``up`` and the demo run under a supervisor."""

import socket
import sys
from typing import Final

from tierkeeper.base import supervised
from tierkeeper.cli.support.onlooker import WatchedWorker
from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.supervisor import Program
from tierkeeper_client.contract import Queue

#: of the worker that stores: those that wait for one another's commit are stored together (`engine.ingest.gathering`)
INGEST_THREADS: Final = 32


def workers(session: Session, *, processes: int | None) -> list[tuple[Program, WatchedWorker]]:
    """Return the two workers: one of threads that stores, one of ``processes`` (None: one a core) for all else."""
    others = tuple(queue for queue in Queue if queue is not Queue.INGEST)
    pool = () if processes is None else ("--concurrency", str(processes))
    threads = ("--pool", "threads", "--concurrency", str(INGEST_THREADS))
    return [
        _worker(session, "ingest", (Queue.INGEST,), *threads),
        _worker(session, "worker", others, *pool),
    ]


def _worker(session: Session, program: str, queues: tuple[Queue, ...], *pool: str) -> tuple[Program, WatchedWorker]:
    node = f"{program}@{socket.gethostname()}"
    taken = ",".join(queue.value for queue in queues)
    started = celery(session, "worker", "--hostname", node, "--queues", taken, *pool, called=program)
    return started, WatchedWorker(program, node, queues)


def celery(session: Session, name: str, *arguments: str, called: str | None = None) -> Program:
    """Return the process NAME of Celery, on the same settings and from the same installation as this process.

    ``called``: the name that its lines begin with, where that is another one.
    """
    settings = session.settings
    level = settings.log.level
    logging = ("--loglevel", level) if name in {"worker", "beat"} else ()
    environment = {"TIERKEEPER_HOME": str(settings.home)}
    if session.state.config is not None:
        environment["TIERKEEPER_CONFIG"] = str(session.state.config.absolute())
    if settings.log.format == "auto":
        environment["TIERKEEPER_LOG__FORMAT"] = "console"
    command = (sys.executable, "-P", "-m", "worker.start", supervised.FLAG, "--quiet", name, *logging, *arguments)
    return Program(called or name, command, environment)
