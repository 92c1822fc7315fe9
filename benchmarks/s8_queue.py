"""S8: how long what is due waits for the worker, and what a message of ours costs.

(a) 4 KiB from hot to warm on one S3 server, due evenly over time, at half the rate that the worker reaches (``--rate``;
measured first, if not given): from the time in the schedule to that of the event ``moved``, which a batch reads just
before it commits. Beat sends ``rotate`` and ``collect`` every ``--sweep`` seconds. (b) Signed messages of the task
``converge_due`` for a run that has ended, sent before the clock starts; limit: an empty task in a worker with the same
settings, but with Celery's own consumer. The difference is ours; it is compared with the time that the same worker
takes for a batch of artifacts. The worker has one process for each core.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from celery import Celery
from redis import Redis

from benchmarks.harness import empty_app, filling, rounds, services
from benchmarks.harness.rounds import Role, Samples, Side
from benchmarks.harness.scene import PATIENCE, Scene
from benchmarks.harness.spread import spread
from benchmarks.harness.worker import Program, Worker
from tierkeeper.embedded.process import wait_until
from tierkeeper.embedded.valkey import Valkey
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import QUEUE_OF, RunArgs, TaskName
from tierkeeper_client.settings import shared_settings

KEYS = "benchmark:MDEyMzQ1Njc4OWFiY2RlZg=="
QUEUE = QUEUE_OF[TaskName.CONVERGE_DUE].value
BATCH = 500  # the default of engine.batch
UNFINISHED = QUEUE, "unacked"  # the keys of what waits and of what was taken, which are gone when nothing is in them
LATER = timedelta(days=1)
HALF_LOAD, MESSAGES, BATCHES = "(a) half load", "(b) messages", "(b) batches"

MOVED = "SELECT count(*) FROM events WHERE type = 'moved'"
COLLECTED = "SELECT count(*) FROM events WHERE type = 'collected'"
TIMES = "SELECT subject, at FROM events WHERE type = 'moved'"
DUE = """
UPDATE schedule s SET due_at = statement_timestamp() + interval '1 s' * (1 + t.place / %s::float)
FROM unnest(%s) WITH ORDINALITY AS t (artifact, place) WHERE s.artifact_id = t.artifact
RETURNING s.artifact_id, s.due_at
"""


class Figure:
    """The preparation, work and checks of each side.

    ``rate``: artifacts a second that the worker reaches, None: not measured yet. ``sweep``: seconds between rotations.
    """

    def __init__(self, scene: Scene, broker: Valkey, *, count: int, sweep: float, rate: float | None) -> None:
        self.scene, self.broker, self.count, self.sweep, self.rate = scene, broker, count, sweep, rate
        self.redis = Redis(unix_socket_path=str(broker.socket))
        self.client = TierkeeperClient(broker.url, keys=KEYS)
        self.sender = Celery("benchmark_sender", set_as_current=False)
        self.sender.conf.update(shared_settings(broker.url), task_routes=empty_app.ROUTES)
        self.env: dict[str, str] = {}
        self.worker: Worker | None = None
        self.beat: Program | None = None
        self.due: dict[UUID, datetime] = {}
        self.waits: list[list[float]] = []  # seconds from due to done, of each round

    def fill(self, count: int, *, due: timedelta = filling.OVERDUE) -> None:
        """Fill hot and a fresh catalog, and start a worker."""
        self.scene.objects(count, age=timedelta(days=10), buckets=("hot", "warm"), due=due)
        env = self.scene.filled(("hot", "warm"), step="move to warm")
        self.start("worker.app", {**env, "TIERKEEPER_MESSAGES__KEYS": KEYS})

    def start(self, app: str, env: dict[str, str]) -> None:
        """Start a worker with the pool that Celery chooses: a process for each core."""
        self.redis.flushdb()  # what the worker before had not finished
        self.env = env | services.queue(self.broker.url)
        self.worker = Worker(app, self.env, self.scene.place / "worker.log", pool=())
        self.worker.wait(self.sender)

    def start_beat(self) -> None:
        """Start Beat."""
        env = {**self.env, "BENCHMARK_SWEEP": str(self.sweep)}
        self.beat = Program("benchmarks.harness.beat_app", env, self.scene.place / "beat.log", ["beat"])

    def stop(self) -> None:
        """Stop Beat and the worker."""
        for program in (self.beat, self.worker):
            if program is not None:
                program.stop()
        self.beat = self.worker = None

    def check(self) -> None:
        """Stop, and check that every object was moved."""
        self.stop()
        self.scene.holds(self.scene.buckets[1], self.count)

    def prepare_half_load(self) -> None:
        """Measure the rate, once; fill, and wait until Beat and the worker do their work."""
        if self.rate is None:
            self.rate = self.full_load()
        self.fill(self.count, due=LATER)
        self.start_beat()
        self.scene.wait_for("SELECT count(*) FROM heartbeats", 1)

    def full_load(self) -> float:
        """Return how many artifacts a second are moved and collected where all are due at once."""
        self.prepare_batches()
        began = time.monotonic()
        self.client.send(TaskName.ROTATE)
        self.start_beat()
        self.scene.wait_for(COLLECTED, self.count)
        seconds = time.monotonic() - began
        self.check()
        return self.count / seconds

    def half_load(self) -> None:
        """Make the artifacts due one after another, and wait until the last one is moved."""
        assert self.rate is not None
        with psycopg.connect(self.scene.catalog) as connection:
            due = connection.execute(DUE, [self.rate / 2, [m.artifact for m in self.scene.made]])
            self.due = dict(due.fetchall())
        time.sleep(2 * self.count / self.rate)  # nothing else must take the machine's time until the last one is due
        self.scene.wait_for(MOVED, self.count)

    def check_half_load(self) -> None:
        """Check as :meth:`check`, and note how long each artifact waited."""
        self.check()
        with psycopg.connect(self.scene.catalog) as connection:
            done: dict[UUID, datetime] = dict(connection.execute(TIMES).fetchall())
        self.waits.append([(done[artifact] - due).total_seconds() for artifact, due in self.due.items()])

    def prepare_ours(self) -> None:
        """Start a worker on a catalog with a run that has ended, and send messages for that."""
        self.fill(1)
        self.client.send(TaskName.ROTATE)
        self.scene.wait_for("SELECT count(*) FROM runs WHERE state = 'done'", 1)
        with psycopg.connect(self.scene.catalog) as connection:
            ((run,),) = connection.execute("SELECT id FROM runs").fetchall()
        self.send(lambda: self.client.send(TaskName.CONVERGE_DUE, RunArgs(run=run)))

    def prepare_empty(self) -> None:
        """Start a worker with the empty task, and send messages for that."""
        self.scene.fresh_catalog()
        self.start(empty_app.__name__, services.environment(self.scene.place, catalog=self.scene.catalog, tiers={}))
        self.send(lambda: self.sender.send_task(empty_app.TASK))

    def send(self, one: Callable[[], object]) -> None:
        """Send the messages while the worker stands still."""
        assert self.worker is not None
        self.worker.pause()
        for _ in range(self.count):
            one()

    def work_off(self) -> None:
        """Let the worker go on, and wait until it has acknowledged every message."""
        assert self.worker is not None
        self.worker.go_on()
        done = wait_until(lambda: not self.redis.exists(*UNFINISHED), seconds=PATIENCE)
        assert done, "the worker is too slow"

    def check_ours(self) -> None:
        """Check that the worker ran ``converge_due`` for every message."""
        self.check_messages(TaskName.CONVERGE_DUE.value)

    def check_empty(self) -> None:
        """Check that the worker ran the empty task for every message."""
        self.check_messages(empty_app.TASK)

    def check_messages(self, task: str) -> None:
        """Check that the worker ran this task for every message, and stop it."""
        (stats,) = (self.sender.control.inspect().stats() or {}).values()
        assert stats["total"][task] >= self.count, stats["total"]
        self.stop()

    def prepare_batches(self) -> None:
        """Fill; all artifacts are due."""
        self.fill(self.count)

    def batches(self) -> None:
        """Send a rotation, and wait until the last artifact is moved."""
        self.client.send(TaskName.ROTATE)
        self.scene.wait_for(MOVED, self.count)

    def latencies(self) -> Iterator[str]:
        """Yield in words how long the artifacts of (a) waited."""
        cuts = [statistics.quantiles(waits, n=100) for waits in self.waits]
        if cuts and self.rate is not None:
            p50, p99 = [c[49] for c in cuts], [c[98] for c in cuts]
            yield f"{self.rate / 2:.0f}/s due: p50 {spread(p50)} s, p99 {spread(p99)} s from due to done"
            yield f"p99 is {spread([p / self.sweep for p in p99])} sweeps of {self.sweep:g} s"

    def overhead(self, samples: Sequence[Samples]) -> Iterator[str]:
        """Yield in words what a message of ours costs beyond an empty one, also as a share of a batch's time."""
        usage = {(s.side.group, s.side.role): s.usage for s in samples}
        sides = (MESSAGES, Role.OURS), (MESSAGES, Role.LIMIT), (BATCHES, Role.OURS)
        if usage.keys() >= {*sides}:
            each = [[u.seconds / self.count for u in usage[side]] for side in sides]
            more = [ours - empty for ours, empty in zip(*each[:2], strict=True)]
            share = [100 * one / (BATCH * artifact) for one, artifact in zip(more, each[2], strict=True)]
            took = f"{spread([1000 * one for one in more])} ms"
            yield f"a message of ours costs {took} more than an empty one: {spread(share)} % of a batch of {BATCH}"


def main() -> None:
    parser = rounds.arguments(__doc__, items=8000)
    parser.add_argument("--rate", type=float, help="artifacts a second that the worker reaches (default: measured)")
    parser.add_argument("--sweep", type=float, default=2.0, help="seconds between two rotations in (a) (default 2)")
    options = parser.parse_args()
    with ExitStack() as stack:
        scene = Scene(stack, undo="7d")
        broker = stack.enter_context(services.valkey(scene.place))
        figure = Figure(scene, broker, count=options.items, sweep=options.sweep, rate=options.rate)
        stack.callback(figure.stop)
        name, ours, work = "tierkeeper", Role.OURS, figure.work_off
        sides = [
            Side(name, ours, figure.half_load, figure.prepare_half_load, figure.check_half_load, group=HALF_LOAD),
            Side(f"{name} converge_due", ours, work, figure.prepare_ours, figure.check_ours, group=MESSAGES),
            Side("empty task", Role.LIMIT, work, figure.prepare_empty, figure.check_empty, group=MESSAGES),
            Side(name, ours, figure.batches, figure.prepare_batches, figure.check, group=BATCHES),
        ]
        samples = rounds.measure("s8_queue", "S8 the queue", sides, options, server=scene.server)
    print("\n".join([*figure.latencies(), *figure.overhead(samples)]))


if __name__ == "__main__":
    main()
