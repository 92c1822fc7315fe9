"""S9: transitions of 4 KiB from hot to warm by 1, 2 and 4 workers, on an S3 server that is 30 ms away.

Each call passes a proxy that holds it for so long. A process has 2 calls in flight (``engine.io_threads``), so that
the network is the limit and not the machine's CPU, and takes small batches (``engine.batch``), so that no worker waits
long for the last one of another. ``rotate`` is measured, and a ``converge_due`` for each worker; not ``collect``, which
is one task whatever the number of workers.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from itertools import pairwise

from benchmarks.harness import rounds, services
from benchmarks.harness.bare import Access
from benchmarks.harness.rounds import Role, Samples, Side
from benchmarks.harness.scene import CALLER, Scene
from benchmarks.harness.spread import spread
from tierkeeper.base.ids import new_id
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge.converge import converge_these

LATENCY = 0.03  # seconds
WORKERS = (1, 2, 4)


class Figure:
    """The preparation, work and checks of each side."""

    def __init__(self, scene: Scene, far: Access, *, count: int) -> None:
        self.scene, self.far, self.count = scene, far, count

    def prepare(self, workers: int) -> None:
        """Fill hot and a fresh catalog, start so many workers, and move one artifact, which probes the server."""
        self.scene.objects(self.count + 1, age=timedelta(days=10), buckets=("hot", "warm"))
        self.scene.catalogue(("hot", "warm"), step="move to warm", lanes=workers, endpoint=self.far.endpoint)
        converge_these(self.scene.keeper.engine, Worker(new_id(), CALLER), [self.scene.made[0].artifact])

    def check(self) -> None:
        """Check that every copy is present in warm and given up in hot, with an event."""
        copies, events = self.scene.left()
        moved = self.count + 1
        assert copies == [("hot", "doomed", moved), ("warm", "present", moved)], copies
        assert events["moved"] == moved, events
        self.scene.holds(self.scene.buckets[1], moved)

    def side(self, workers: int) -> Side:
        """Move with so many workers."""
        group = "1 worker" if workers == 1 else f"{workers} workers"
        return Side("tierkeeper", Role.OURS, self.scene.rotate, partial(self.prepare, workers), self.check, group=group)


def doublings(samples: Sequence[Samples]) -> Iterator[str]:
    """Yield in words the rate of twice as many workers as a share of twice the rate, round by round."""
    for fewer, more in pairwise(samples):
        shares = [a.seconds / b.seconds / 2 for a, b in zip(fewer.usage, more.usage, strict=True)]
        yield f"{more.side.group}: {spread(shares)} of twice the rate of {fewer.side.group}"


def main() -> None:
    parser = rounds.arguments(__doc__, items=2000)
    parser.add_argument("--calls", type=int, default=2, help="calls that a process has in flight (default 2)")
    parser.add_argument("--batch", type=int, default=50, help="artifacts of a batch (default 50)")
    options = parser.parse_args()
    numbers = {"TIERKEEPER_ENGINE__IO_THREADS": str(options.calls), "TIERKEEPER_ENGINE__BATCH": str(options.batch)}
    with ExitStack() as stack:
        scene = Scene(stack, undo="7d", **numbers)
        far = stack.enter_context(services.delayed(scene.access, LATENCY))
        figure = Figure(scene, far, count=options.items)
        title = f"S9 scale out, 4 KiB, hot to warm, {LATENCY * 1000:.0f} ms away"
        samples = rounds.measure(
            "s9_workers", title, [figure.side(workers) for workers in WORKERS], options, server=scene.server
        )
    print("\n".join(doublings(samples)))


if __name__ == "__main__":
    main()
