"""tierkeeper's app with rotations and collects every ``BENCHMARK_SWEEP`` seconds, where Beat has them every minute.

The canary of their queue is there to show that Beat and the worker have begun.
"""

import os

from beat_schedule import BEAT_SCHEDULE
from worker.app import app

app.conf.beat_schedule = {
    name: {**BEAT_SCHEDULE[name], "schedule": float(os.environ["BENCHMARK_SWEEP"])}
    for name in ("rotate", "collect", "canary transition")
}
