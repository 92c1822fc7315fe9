"""Handlers of Celery's process signals: they configure logs, and open the keeper after the fork."""

import gc
import logging
import sys
from typing import Final

from celery import concurrency, signals
from celery.concurrency import prefork, solo
from celery.worker import WorkController
from celery.worker.consumer import Consumer

import tierkeeper.keeper
from tierkeeper.base import log, stopping
from tierkeeper.settings.settings import Settings
from tierkeeper_client import lazy
from tierkeeper_client.errors import TierkeeperError
from worker import config, watchdog

# The task's base class logs how each task ended, with its correlation id; Celery's own lines would repeat it.
CELERY_LINES = {"celery.worker.strategy": logging.WARNING, "celery.app.trace": logging.CRITICAL}

_SINGLE: Final[frozenset[object]] = frozenset({prefork.TaskPool, solo.TaskPool})  # pools of one task a process
_SPARE_CONNECTIONS: Final = 4  # of a worker of threads, beside one for each

_watching: list[watchdog.Watchdog] = []
_opened: list[tierkeeper.keeper.Keeper] = []


def connect() -> None:
    """Connect the handlers of this module to Celery's signals; importing :mod:`worker.app` does it."""
    signals.setup_logging.connect(configure_logging)
    signals.worker_init.connect(resolve_services)
    signals.worker_init.connect(open_for_threads)
    signals.worker_process_init.connect(open_keeper)
    signals.worker_process_shutdown.connect(close_keeper)
    signals.worker_shutdown.connect(close_keeper)
    signals.worker_ready.connect(watch)
    signals.worker_shutting_down.connect(ask_to_end)


def ask_to_end(**_: object) -> None:
    """Make sweeps hand over after the current batch, in the children too, which get no signal of their own."""
    stopping.ask()
    for watching in _watching:
        watching.stop()


def resolve_services(**_: object) -> None:
    """Resolve all services of a worker before its children are forked, or exit: Celery hides handlers' exceptions.

    What commands load on use is loaded here: children share what was loaded before the fork.
    """
    for package in ("tierkeeper.base", "tierkeeper.catalog", "tierkeeper.engine", "tierkeeper.keeper"):
        lazy.load(package)
    try:
        tierkeeper.keeper.refuse_clusters(config.settings())
    except TierkeeperError as error:
        sys.exit(str(error))


def watch(sender: Consumer, **_: object) -> None:
    """Start the watchdog once; Celery sends this signal again after each lost connection."""
    if not _watching:
        limit = sender.app.conf.task_time_limit if _has_threads(type(sender.pool)) else None
        stalled = config.settings().health.stalled.total_seconds()
        _watching.append(watchdog.start(sender.app, stalled=stalled, limit=limit))


def configure_logging(**_: object) -> None:
    """Replace Celery's logging setup, so that its loggers' lines are rendered as ours."""
    chosen = config.messaging().log
    log.configure(chosen.level, chosen.format)
    for name, level in CELERY_LINES.items():
        logging.getLogger(name).setLevel(level)


def open_keeper(**_: object) -> None:
    """Make the keeper of a prefork child, or of a solo worker. It connects when it is first used."""
    _open(config.settings())


def _open(settings: Settings) -> None:
    # Imported objects stay for ever: without this the garbage collector traverses them again and again, which took
    # a third of the time of a purge (see docs/reference/benchmarks.md).
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    _opened.append(tierkeeper.keeper.configure(settings))


def open_for_threads(sender: WorkController, **_: object) -> None:
    """Make the keeper of a worker with a thread pool, for which Celery sends no process signal."""
    pool: object = concurrency.get_implementation(getattr(sender, "pool_cls"))  # noqa: B009  the stubs lack it
    if _has_threads(pool):
        threads = int(getattr(sender, "concurrency") or 1)  # noqa: B009  as above
        _open(_with_connections(config.settings(), threads))


def _has_threads(pool: object) -> bool:
    """Return True for the class of a pool with many tasks a process."""
    return pool not in _SINGLE


def _with_connections(settings: Settings, threads: int) -> Settings:
    """Return the settings with a connection for each thread, and some for what they ask meanwhile."""
    catalog = settings.catalog
    overflow = max(catalog.pool_overflow, threads + _SPARE_CONNECTIONS - catalog.pool_size)
    return settings.model_copy(update={"catalog": catalog.model_copy(update={"pool_overflow": overflow})})


def close_keeper(**_: object) -> None:
    """Close the keepers of this process; the parent of prefork children has none."""
    while _opened:
        _opened.pop().close()
