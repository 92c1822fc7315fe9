"""S3: 20 000 artifacts of 4 KiB from due to gone, with catalog, events and receipts.

Ours: ``rotate``, as many ``converge_due`` at once as a rotation sends (deleted, then purged: the undo window is
nothing here), then ``collect`` (no grace). Peer: ``rclone delete``. Limit: bare ``DeleteObjects`` of 1000 keys.
"""

from contextlib import ExitStack
from datetime import timedelta

from benchmarks.harness import rclone, rounds
from benchmarks.harness.rounds import Role, Side
from benchmarks.harness.scene import Scene


class Figure:
    """The preparation, work and checks of each side."""

    def __init__(self, scene: Scene, *, count: int, lanes: int, calls: int) -> None:
        self.scene, self.count, self.lanes, self.calls = scene, count, lanes, calls

    def objects(self) -> None:
        """Put fresh objects into cold."""
        self.scene.objects(self.count, age=timedelta(days=100), buckets=("cold",))

    def prepare_ours(self) -> None:
        """Fill a fresh catalog and start the lanes."""
        self.objects()
        self.scene.catalogue(("cold",), step="purge", lanes=self.lanes)

    def check_ours(self) -> None:
        """Check that no copy is left, and that each artifact has its events, including the receipt."""
        copies, events = self.scene.left()
        assert not copies, copies
        assert {events[kind] for kind in ("deleted", "purged", "collected", "destroyed")} == {self.count}, events
        self.check()

    def prepare_limit(self) -> None:
        """Start a lane with all the keys."""
        self.objects()
        self.scene.bare_lanes("delete", lanes=1, threads=self.calls)

    def check(self) -> None:
        """Check that no object is left."""
        self.scene.holds(self.scene.buckets[0], 0)

    def rclone(self, program: str) -> Side:
        """Delete with rclone."""

        def work() -> None:
            rclone.run(program, self.scene.access, ["delete", f"s3:{self.scene.buckets[0]}"])

        return Side(f"{rclone.version(program)} delete", Role.PEER, work, self.objects, self.check)


def main() -> None:
    parser = rounds.arguments(__doc__, items=20_000)
    parser.add_argument("--lanes", type=int, default=2, help="processes of ours that converge (default 2)")
    parser.add_argument("--calls", type=int, default=1, help="bulk deletes that the limit has in flight (default 1)")
    rclone.add_argument(parser)
    options = parser.parse_args()
    with ExitStack() as stack:
        figure = Figure(Scene(stack, undo="0s"), count=options.items, lanes=options.lanes, calls=options.calls)
        work = figure.scene.rotate_and_collect
        sides = [
            Side("tierkeeper", Role.OURS, work, figure.prepare_ours, figure.check_ours),
            *(figure.rclone(program) for program in rclone.programs(options)),
            Side("bare DeleteObjects", Role.LIMIT, figure.scene.lanes.work, figure.prepare_limit, figure.check),
        ]
        rounds.measure("s3_purge", "S3 purge, 4 KiB, from due to gone", sides, options, server=figure.scene.server)


if __name__ == "__main__":
    main()
