"""S2: 20 000 artifacts of 4 KiB from hot to warm on one S3 server, verified, with catalog and events.

Ours: ``rotate``, as many ``converge_due`` at once as a rotation sends, then ``collect`` (no grace); the sources are
gone at the end, as they are with the others. Peer: ``rclone move``. Limit: bare copies, each checked by a HEAD, and
bulk deletes beside them, in as many processes and threads as ours.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from benchmarks.harness import rclone, rounds
from benchmarks.harness.rounds import Role, Side
from benchmarks.harness.scene import IO_THREADS, Scene


class Figure:
    """The preparation, work and checks of each side."""

    def __init__(self, scene: Scene, *, count: int, lanes: int) -> None:
        self.scene, self.count, self.lanes = scene, count, lanes

    def objects(self) -> None:
        """Put fresh objects into hot."""
        self.scene.objects(self.count, age=timedelta(days=10), buckets=("hot", "warm"))

    def prepare_ours(self, **options: str) -> None:
        """Fill a fresh catalog and start the lanes."""
        self.objects()
        self.scene.catalogue(("hot", "warm"), step="move to warm", lanes=self.lanes, **options)

    def check_ours(self) -> None:
        """Check that every copy is present in warm and nowhere else, with one event for each step."""
        copies, events = self.scene.left()
        assert copies == [("warm", "present", self.count)], copies
        assert (events["moved"], events["collected"]) == (self.count, self.count), events
        self.check()

    def prepare_limit(self) -> None:
        """Start a lane for each share of the objects."""
        self.objects()
        self.scene.bare_lanes("move", lanes=self.lanes, threads=IO_THREADS)

    def check(self) -> None:
        """Check that all objects are at the target, and none at the source."""
        source, target = self.scene.buckets
        self.scene.holds(source, 0)
        self.scene.holds(target, self.count)

    def rclone(self, program: str) -> Side:
        """Move with rclone."""

        def work() -> None:
            source, target = self.scene.buckets
            rclone.run(program, self.scene.access, ["move", f"s3:{source}", f"s3:{target}"])

        return Side(f"{rclone.version(program)} move", Role.PEER, work, self.objects, self.check)

    def ours(self, **options: str) -> Side:
        """Move with tierkeeper."""
        prepare: Callable[[], None] = lambda: self.prepare_ours(**options)  # noqa: E731  a side of its own each
        name = " ".join(["tierkeeper", *(f"{key}={value}" for key, value in options.items())])
        return Side(name, Role.OURS, self.scene.rotate_and_collect, prepare, self.check_ours)


def main() -> None:
    parser = rounds.arguments(__doc__, items=20_000)
    parser.add_argument("--lanes", type=int, default=2, help="processes of ours and of the limit (default 2)")
    parser.add_argument("--client", action="append", default=[], help="also ours with client=… in the tiers' URLs")
    rclone.add_argument(parser)
    options = parser.parse_args()
    with ExitStack() as stack:
        figure = Figure(Scene(stack, undo="7d"), count=options.items, lanes=options.lanes)
        limit = Side(
            "bare COPY + HEAD + DeleteObjects",
            Role.LIMIT,
            figure.scene.lanes.work,
            figure.prepare_limit,
            figure.check,
        )
        sides = [
            figure.ours(),
            *(figure.ours(client=client) for client in options.client),
            *(figure.rclone(program) for program in rclone.programs(options)),
            limit,
        ]
        rounds.measure("s2_transition", "S2 transition, 4 KiB, hot to warm", sides, options, server=figure.scene.server)


if __name__ == "__main__":
    main()
