"""The worker's app, in which artifacts with telling names do to their worker process what poison does.

``segfault…`` kills it, ``hang…`` never comes back, ``defect…`` raises what nobody foresaw; ``again…`` kills it the
first time and is good the second. All of it in the middle of a store, when the bytes are being written. More is
switched on by the environment.
"""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks import base
from tierkeeper.engine.ingest import ingest
from tierkeeper.engine.operations import deliveries
from tierkeeper.keeper.sweeps import Sweeps
from worker.app import app

__all__ = ["app"]

_write = ingest.step_3_write


def _poisoned(engine: Any, prepared: Any, *, caller: Any) -> Any:  # noqa: ANN401  as the step
    for item in prepared.items:
        name = item.args.name
        if name.startswith("segfault"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("again"):
            mark = Path(engine.settings.home) / name
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("hang"):
            time.sleep(3600)
        if name.startswith("defect"):
            raise ZeroDivisionError("a defect")
    return _write(engine, prepared, caller=caller)


ingest.step_3_write = _poisoned
if os.environ.get("TEST_POISONED_SWEEP"):
    Sweeps.recompute = lambda *_, **_more: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign,assignment]
if limit := os.environ.get("TEST_TIME_LIMIT"):
    app.conf.task_time_limit = float(limit)
if os.environ.get("TEST_IMPATIENT"):  # one try instead of half a minute of them, and short waits
    base.QUICK_TRIES = 0
    deliveries.PAUSES = replace(deliveries.PAUSES, first=1.0)  # type: ignore[misc]
