"""S4: 4 KiB artifacts through the task queue, from the first message sent to the last one stored.

(a) one task each; limit: a Celery task of the same worker with a bare PUT and one commit. (b) ``store_many`` of 100;
limit: bare PUTs in one process with as many threads as
the worker writes with (``engine.io_threads``). Peer of both: boto3's ``put_object`` in 8 threads, without any
catalog.
"""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from typing import LiteralString

import boto3
import psycopg
from botocore.config import Config
from celery import Celery
from celery.result import AsyncResult

from benchmarks.harness import bare_app, filling, rounds, services
from benchmarks.harness.bare import REGION
from benchmarks.harness.rounds import Role, Side
from benchmarks.harness.scene import IO_THREADS, Scene
from benchmarks.harness.worker import INGEST_POOL, Worker
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import StoreArgs
from tierkeeper_client.settings import shared_settings

MANY = 100  # artifacts of one store_many
PEER_THREADS = 8
WARM = 8  # tasks before the clock starts: each process has its connections then


class Figure:
    """The preparation, work and checks of each side."""

    def __init__(self, scene: Scene, broker: str, *, count: int) -> None:
        self.scene, self.broker, self.count = scene, broker, count
        self.sender = Celery("benchmark_sender", set_as_current=False)
        self.sender.conf.update(shared_settings(broker, broker), task_routes={bare_app.TASK: {"queue": "ingest"}})
        self.client = TierkeeperClient(broker, broker)
        self.worker: Worker | None = None
        self.contents: dict[str, bytes] = {}
        self.counted: LiteralString = ""

    def names(self) -> None:
        """Make fresh content and a fresh bucket."""
        self.scene.objects(0, age=services.NO_TIME, buckets=("hot",))
        self.scene.made = filling.make(self.count, age=services.NO_TIME)
        self.contents = {m.location: filling.content(m.placement) for m in self.scene.made}

    def prepare_ours(self) -> None:
        """Start a worker on a fresh catalog, and warm it up."""
        self.names()
        tiers = {"hot": services.tier(self.scene.access, self.scene.buckets[0])}
        self.start("worker.app", tiers)
        self.counted = "SELECT count(*) FROM artifacts"
        for number in range(WARM):
            self.client.store(f"warm {number}".encode(), tenant="bench", workflow="warm", name=str(number)).get(60)

    def prepare_bare(self) -> None:
        """Start a worker with the bare task."""
        self.names()
        access = json.dumps(asdict(self.scene.access))
        self.start("benchmarks.harness.bare_app", {}, BENCHMARK_ACCESS=access, BENCHMARK_BUCKET=self.scene.buckets[0])
        with psycopg.connect(self.scene.catalog) as connection:
            connection.execute(bare_app.TABLE)
        self.counted = "SELECT count(*) FROM stored"
        for number in range(WARM):
            self.send_bare(str(number), b"warm").get(timeout=60)

    def start(self, app: str, tiers: dict[str, str], **more: str) -> None:
        """Start a worker on a fresh catalog."""
        self.scene.fresh_catalog()
        env = services.environment(self.scene.place, catalog=self.scene.catalog, tiers=tiers, **more)
        env |= services.queue(self.broker)
        if tiers:
            services.init(env)
        self.worker = Worker(app, env, self.scene.place / "worker.log", pool=INGEST_POOL)
        self.worker.wait(self.sender)

    def send_bare(self, name: str, content: bytes) -> AsyncResult[object]:
        """Send the bare task."""
        arguments = {"name": name, "content": base64.b64encode(content).decode()}
        return self.sender.send_task(bare_app.TASK, kwargs=arguments)

    def one_each(self) -> None:
        """Send one task per artifact."""
        for name, content in self.contents.items():
            self.client.store(content, tenant="bench", workflow="figures", name=name)
        self.wait()

    def many(self) -> None:
        """Send ``store_many`` tasks of 100 artifacts each."""
        items = [
            StoreArgs(tenant="bench", workflow="figures", name=name, content=self.client.content(content))
            for name, content in self.contents.items()
        ]
        for start in range(0, len(items), MANY):
            self.client.store_many(items[start : start + MANY])
        self.wait()

    def bare_each(self) -> None:
        """Send one bare task per artifact."""
        for name, content in self.contents.items():
            self.send_bare(name, content)
        self.wait()

    def wait(self) -> None:
        """Wait until the last artifact is stored."""
        self.scene.wait_for(self.counted, self.count + WARM)

    def stop(self) -> None:
        """Stop the worker and check that every object was stored."""
        assert self.worker is not None
        self.worker.stop()
        self.scene.holds(self.scene.buckets[0], self.count + WARM)

    def boto3(self) -> None:
        """Write all objects with boto3."""
        access = self.scene.access
        client = boto3.client(
            "s3",
            endpoint_url=access.endpoint,
            aws_access_key_id=access.access_key,
            aws_secret_access_key=access.secret_key,
            region_name=REGION,
            config=Config(max_pool_connections=PEER_THREADS, s3={"addressing_style": "path"}),
        )
        with ThreadPoolExecutor(PEER_THREADS) as threads:
            bucket = self.scene.buckets[0]
            put: Callable[[str], object] = lambda name: client.put_object(  # noqa: E731  for the pool
                Bucket=bucket, Key=name, Body=self.contents[name], ChecksumAlgorithm="SHA256"
            )
            list(threads.map(put, self.contents))

    def prepare_puts(self) -> None:
        """Start a client with as many threads as the worker writes with."""
        self.names()
        self.scene.bare_lanes("put", lanes=1, threads=IO_THREADS)

    def check_puts(self) -> None:
        """Check that all objects are there."""
        self.scene.holds(self.scene.buckets[0], self.count)


def main() -> None:
    parser = rounds.arguments(__doc__, items=5000)
    options = parser.parse_args()
    with ExitStack() as stack:
        scene = Scene(stack, undo="7d")
        broker = stack.enter_context(services.valkey(scene.place))
        figure = Figure(scene, broker.url, count=options.items)
        groups = ("(a) one task each", "(b) 100 in a task")
        peers = [
            Side("boto3 put_object, 8 threads", Role.PEER, figure.boto3, figure.names, figure.check_puts, group=group)
            for group in groups
        ]
        ours, bare = figure.prepare_ours, figure.prepare_bare
        each, task = figure.one_each, figure.bare_each
        sides = [
            Side("tierkeeper store", Role.OURS, each, ours, figure.stop, group=groups[0]),
            peers[0],
            Side("task: bare PUT, commit", Role.LIMIT, task, bare, figure.stop, group=groups[0]),
            Side("tierkeeper store_many", Role.OURS, figure.many, ours, figure.stop, group=groups[1]),
            peers[1],
            Side("bare PUT", Role.LIMIT, scene.lanes.work, figure.prepare_puts, figure.check_puts, group=groups[1]),
        ]
        rounds.measure("s4_store", "S4 store, 4 KiB, through the queue", sides, options, server=scene.server)


if __name__ == "__main__":
    main()
