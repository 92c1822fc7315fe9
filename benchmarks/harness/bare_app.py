"""The limit of "one task each": a Celery app whose task does a bare PUT and one commit, and nothing else.

Its settings are those of tierkeeper's own worker, so that the queue costs the same.
"""

import base64
import json
import os
import threading
from typing import Any

import psycopg
from celery import Celery, shared_task

from benchmarks.harness.bare import Access, Bare
from worker.config import celery_settings, settings

TASK = "benchmark.store"
TABLE = "CREATE TABLE stored (name text PRIMARY KEY, sha256 bytea, at timestamptz DEFAULT now())"
INSERT = "INSERT INTO stored (name, sha256) VALUES (%s, sha256(%s))"


def configuration() -> dict[str, Any]:
    """Return the worker's Celery settings, with a route for the bare task in the place of the worker's own."""
    shared = celery_settings(settings())
    return {**shared, "task_routes": {TASK: {"queue": "ingest"}}}


app: Celery = Celery("benchmark", set_as_current=False)
app.add_defaults(configuration)


class Thread(threading.local):
    """The connections of one thread, opened on first use, which is after a fork."""

    client: Bare | None = None
    connection: psycopg.Connection[Any] | None = None

    def store(self, name: str, content: bytes) -> None:
        """Write the bytes, then the row."""
        if self.client is None:
            self.client = Bare(Access(**json.loads(os.environ["BENCHMARK_ACCESS"])))
        if self.connection is None:
            self.connection = psycopg.connect(os.environ["TIERKEEPER_CATALOG__URL"])
        self.client.put(os.environ["BENCHMARK_BUCKET"], name, content)
        self.connection.execute(INSERT, [name, content])
        self.connection.commit()


_thread = Thread()


@shared_task(name=TASK, ignore_result=False)
def store(*, name: str, content: str) -> dict[str, str]:
    """Store one artifact by a bare PUT and one commit."""
    _thread.store(name, base64.b64decode(content))
    return {"name": name}
