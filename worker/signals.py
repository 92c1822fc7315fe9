"""What a worker's process does when it begins and ends: logs, and a keeper that is made after the fork."""

import gc
import logging
import sys

from celery import concurrency, signals
from celery.concurrency import prefork, solo
from celery.worker import WorkController
from celery.worker.consumer import Consumer

import tierkeeper.keeper
from tierkeeper.base import log, stopping
from tierkeeper_client.errors import TierkeeperError
from worker import config, watchdog

# The task's base class says of each task how it ended, with its correlation id: Celery's lines would say it again.
CELERY_LINES = {"celery.worker.strategy": logging.WARNING, "celery.app.trace": logging.CRITICAL}

_watching: list[watchdog.Watchdog] = []
_opened: list[tierkeeper.keeper.Keeper] = []


def connect() -> None:
    """Have Celery call this module; importing :mod:`worker.app` does it."""
    signals.setup_logging.connect(configure_logging)
    signals.worker_init.connect(settle)
    signals.worker_init.connect(open_for_threads)
    signals.worker_process_init.connect(open_keeper)
    signals.worker_process_shutdown.connect(close_keeper)
    signals.worker_shutdown.connect(close_keeper)
    signals.worker_ready.connect(watch)
    signals.worker_shutting_down.connect(ask_to_end)


def ask_to_end(**_: object) -> None:
    """Have sweeps hand over after the batch at hand, in the children too: they hear nothing of the signal."""
    stopping.ask()
    for watching in _watching:
        watching.stop()


def settle(**_: object) -> None:
    """Have all services that a worker needs before its children are made, or end: Celery hides what signals raise."""
    try:
        config.settings()
    except TierkeeperError as error:
        sys.exit(str(error))


def watch(sender: Consumer, **_: object) -> None:
    """Watch this worker from now on; it is told again after each lost connection."""
    if not _watching:
        _watching.append(watchdog.start(sender.app, stalled=config.settings().health.stalled.total_seconds()))


def configure_logging(**_: object) -> None:
    """Take over from Celery's own logging; its loggers' lines go the same way as ours."""
    chosen = config.messaging().log
    log.configure(chosen.level, chosen.format)
    for name, level in CELERY_LINES.items():
        logging.getLogger(name).setLevel(level)


def open_keeper(**_: object) -> None:
    """Make the keeper of a prefork child, or of a solo worker. It connects when it is first used."""
    # what was imported stays for ever: without this the garbage collector walks through all of it again and again,
    # which took a third of the time of a purge (see docs/reference/benchmarks.md)
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    _opened.append(tierkeeper.keeper.configure(config.settings()))


def open_for_threads(sender: WorkController, **_: object) -> None:
    """Make the keeper of a worker whose pool is threads: such a pool never signals a new process."""
    pool: object = concurrency.get_implementation(getattr(sender, "pool_cls"))  # noqa: B009  the stubs lack it
    if pool not in {prefork.TaskPool, solo.TaskPool}:
        open_keeper()


def close_keeper(**_: object) -> None:
    """Give back the connections; a parent of prefork children has none."""
    while _opened:
        _opened.pop().close()
