"""Whether this host's worker lives: ``python -P -m worker.health``, exit code 0 or 1, a line for each problem.

Answering a ping is not enough: the catalog and the broker must answer too, and messages that wait in the worker's
queues while it does nothing are a problem. What all workers together get done is asked elsewhere.
"""

import argparse
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError

from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper_client.errors import TierkeeperError
from worker import broker, config
from worker.app import app

PATIENCE = 3  # seconds within which an idle worker takes a waiting message


def problems(this: Celery, settings: Settings, node: str) -> Iterator[str]:
    """Yield each problem of the worker ``node`` as a sentence; nothing if it lives."""
    try:
        with Keeper.open(settings) as opened:
            opened.runs.latest(limit=1)
    except TierkeeperError as error:
        yield str(error)
    try:
        with this.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=broker.TIMEOUT)
            before = _inspect(this, node)
            if before is None:
                yield f"{node} does not answer."
                return
            waiting = [name for name in before["queues"] if broker.length(connection, name)]
            if not waiting or before["busy"]:
                return
            time.sleep(PATIENCE)
            after = _inspect(this, node)
            if after is not None and not after["busy"] and after["total"] == before["total"]:
                yield from (
                    f"{node} takes nothing from {queue}, where messages wait."
                    for queue in waiting
                    if broker.length(connection, queue)
                )
    except (KombuError, OSError) as error:
        yield f"The broker does not answer: {error}"


def _inspect(this: Celery, node: str) -> dict[str, Any] | None:
    """Return the node's queues, whether it is busy, and its count of messages taken; None if it does not answer."""
    inspect = this.control.inspect(destination=[node], timeout=broker.TIMEOUT)
    # each query is sent only after the one before was answered
    if (queues := inspect.active_queues()) and (stats := inspect.stats()) and (active := inspect.active()):
        return {
            "queues": [queue["name"] for queue in queues[node]],
            "total": stats[node]["total"],
            "busy": bool(active[node]),
        }
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the problems and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -P -m worker.health", description=__doc__)
    parser.add_argument("--node", default=f"celery@{socket.gethostname()}", help="the worker's name (celery -n)")
    node = parser.parse_args(arguments).node
    try:
        lines = list(problems(app, config.settings(), node))
    except TierkeeperError as error:
        lines = [str(error)]
    for problem in lines:
        sys.stderr.write(problem + "\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
