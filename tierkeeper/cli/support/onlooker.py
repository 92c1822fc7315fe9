"""Watches the workers and Beat from outside, for `tierkeeper up`, which restarts a process that hangs.

Beat sends a canary through every queue each minute. If none came through a worker's queues for ``health.stalled``, the
worker took none, or Beat sent none: where nothing came through any queue, and all are empty, Beat hangs. A worker may
take no message because of a long task; then it answers a ping, of which this sends two. An unreachable catalog or
broker proves nothing.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from celery import Celery
from kombu import Connection
from kombu.exceptions import KombuError

from tierkeeper.base.quantities import format_duration
from tierkeeper.cli.support.supervisor import HangFinding
from tierkeeper.keeper import Keeper
from tierkeeper_client.contract import Queue
from tierkeeper_client.errors import TierkeeperError
from tierkeeper_client.settings import shared_settings

PING: Final = 5  # seconds to wait for an answer
PINGS: Final = 2


@dataclass(frozen=True, slots=True)
class WatchedWorker:
    """A worker as it is watched: the name of its program, its node's name, and the queues that it takes from."""

    program: str
    node: str
    queues: tuple[Queue, ...]


class Onlooker:
    """Returns the verdict on a hanging process each time it is called, or None."""

    def __init__(
        self, keeper: Keeper, broker_url: str, *, workers: Sequence[WatchedWorker], stalled: timedelta
    ) -> None:
        self._keeper = keeper
        self._workers = workers
        self._stalled = stalled
        self._app = Celery("tierkeeper_onlooker", set_as_current=False, fixups=[])
        self._app.conf.update(shared_settings(broker_url, socket_timeout=PING, connect_timeout=PING))
        self._since = time.monotonic()

    def __call__(self) -> HangFinding | None:
        """Check once; return None while all is well, unknown, or too early after the start or the last verdict."""
        if time.monotonic() - self._since < self._stalled.total_seconds():
            return None  # it was started, or restarted, just now
        theirs: tuple[type[BaseException], ...] = self._app.connection_for_write().connection_errors
        away: tuple[type[BaseException], ...] = (TierkeeperError, KombuError, OSError, *theirs)
        try:
            quiet = [worker for worker in self._workers if self._is_quiet(worker)]
            verdict = self._find_hang(quiet) if quiet else None
        except away:
            return None
        if verdict is not None:
            self._since = time.monotonic()
        return verdict

    def _is_quiet(self, worker: WatchedWorker) -> bool:
        since = self._keeper.health.since_last_canary(worker.queues)
        return since is None or since >= self._stalled

    def _find_hang(self, quiet: Sequence[WatchedWorker]) -> HangFinding | None:
        lasted = f"no canary came through for {format_duration(self._stalled)}"
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=PING)
            behind = [worker for worker in quiet if any(_length(connection, queue) for queue in worker.queues)]
            if not behind and len(quiet) == len(self._workers):
                return HangFinding("beat", f"{lasted}, and none was sent")
            for worker in behind:
                if not self._answers(worker, connection):
                    return HangFinding(worker.program, f"{lasted}, messages wait, and it does not answer")
        return None

    def _answers(self, worker: WatchedWorker, connection: Connection) -> bool:
        ping = self._app.control.ping
        return any(ping(destination=[worker.node], timeout=PING, connection=connection) for _ in range(PINGS))


def _length(connection: Connection, queue: str) -> int:
    channel: Any = connection.channel()
    try:
        with closing(channel):
            return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0  # Redis keeps no empty queues
