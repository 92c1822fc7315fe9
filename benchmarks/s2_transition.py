"""S2: 20 000 artifacts of 4 KiB from hot to warm on one S3 server, verified, with catalog and events.

Ours: ``rotate``, as many ``converge_due`` at once as a rotation sends, then ``collect`` (no grace); the sources are
gone at the end, as they are with the others. Peer: ``rclone move``. Limit: bare copies, each checked by a HEAD, and
bulk deletes beside them, in as many processes and threads as ours.
"""

import base64
import json
import shutil
import sys
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import psycopg

from benchmarks.harness import filling, rclone, rounds, services
from benchmarks.harness.bare import Access, Bare
from benchmarks.harness.lane import Lanes
from benchmarks.harness.rounds import Role, Side
from tierkeeper.keeper import Keeper

THREADS = 16  # of each process; the default of engine.io_threads


class Figure:
    """The services, and what each side prepares, does and checks."""

    def __init__(self, place: Path, access: Access, databases: services.Databases, *, count: int, lanes: int) -> None:
        self.place, self.access, self.databases = place, access, databases
        self.count, self.lanes = count, lanes
        self.bare = Bare(access)
        self.number = 0
        self.source = self.target = ""
        self.made: list[filling.Made] = []
        self.env: dict[str, str] = {}
        self.workers = Lanes()
        self.keeper: Keeper | None = None

    def objects(self) -> None:
        """Put fresh objects into a fresh bucket; the buckets of the side before are emptied."""
        for bucket in filter(None, (self.source, self.target)):
            self.bare.empty(bucket)
        self.number += 1
        self.source, self.target = f"hot-{self.number}", f"warm-{self.number}"
        for bucket in (self.source, self.target):
            self.bare.make_bucket(bucket)
        self.made = filling.make(self.count, age=timedelta(days=10))
        filling.upload(self.bare, self.source, self.made)

    def prepare_ours(self, **options: str) -> None:
        """Fill a fresh catalog, start the processes."""
        self.objects()
        url = self.databases.fresh()
        tiers = {
            "hot": services.tier(self.access, self.source, **options),
            "warm": services.tier(self.access, self.target, **options),
        }
        more = {"TIERKEEPER_ENGINE__GRACE": "0s", "TIERKEEPER_ENGINE__IO_THREADS": str(THREADS)}
        self.env = services.environment(self.place, catalog=url, tiers=tiers, **more)
        filling.catalogue(url, self.made, tier="hot", step="move to warm")
        self.keeper = Keeper.open(services.settings(self.env))
        self.workers.start([["converge"]] * self.lanes, self.env)

    def ours(self) -> None:
        """Rotate, converge, collect."""
        assert self.keeper is not None
        run = self.keeper.rotate(actor="benchmark")
        self.workers.work([str(run)] * self.lanes)
        self.keeper.collect(actor="benchmark")

    def check_ours(self) -> None:
        """Everything is present in warm and nowhere else, with one event for each step."""
        assert self.keeper is not None
        self.keeper.close()
        with psycopg.connect(self.env["TIERKEEPER_CATALOG__URL"]) as connection:
            copies = connection.execute("SELECT tier, state, count(*) FROM placements GROUP BY 1, 2").fetchall()
            events = dict(connection.execute("SELECT type, count(*) FROM events GROUP BY 1").fetchall())
        assert copies == [("warm", "present", self.count)], copies
        assert (events["moved"], events["collected"]) == (self.count, self.count), events
        assert not self.bare.list_page(self.source)

    def prepare_limit(self) -> None:
        """Give each process its share."""
        self.objects()
        items = [[m.location, _base64(m.sha256), m.size] for m in self.made]
        commands = []
        for lane in range(self.lanes):
            file = self.place / f"lane-{lane}.json"
            job = {"access": asdict(self.access), "source": self.source, "target": self.target}
            file.write_text(json.dumps({**job, "items": items[lane :: self.lanes]}))
            commands.append(["bare", "move", str(file), str(THREADS)])
        self.workers.start(commands, {})

    def check(self) -> None:
        """Nothing is left at the source."""
        assert not self.bare.list_page(self.source)
        assert self.bare.list_page(self.target)

    def move(self, program: str) -> None:
        """Move with rclone."""
        rclone.run(program, self.access, ["move", f"s3:{self.source}", f"s3:{self.target}"])


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def main() -> None:
    parser = rounds.arguments(__doc__, items=20_000)
    parser.add_argument("--lanes", type=int, default=2, help="processes of ours and of the limit (default 2)")
    parser.add_argument("--rclone", action="append", help="an rclone to compare with; default: the one in PATH")
    parser.add_argument("--client", action="append", default=[], help="also ours with client=… in the tiers' URLs")
    options = parser.parse_args()
    programs = options.rclone or [p for p in [shutil.which("rclone")] if p]
    if not programs:
        print("no rclone here: the peer is left out (apt-get install rclone)", file=sys.stderr)
    with ExitStack() as stack:
        place = stack.enter_context(services.folder())
        access = stack.enter_context(services.s3(place))
        server = stack.enter_context(services.postgres(place))
        databases = services.Databases(server)
        services.template(place, server)
        figure = Figure(place, access, databases, count=options.items, lanes=options.lanes)
        sides = [Side("tierkeeper", Role.OURS, figure.ours, figure.prepare_ours, figure.check_ours)]
        for client in options.client:
            prepare = lambda client=client: figure.prepare_ours(client=client)  # noqa: E731  a side of its own each
            sides.append(Side(f"tierkeeper, {client}", Role.PEER, figure.ours, prepare, figure.check_ours))
        for program in programs:
            move = lambda program=program: figure.move(program)  # noqa: E731  as above
            name = f"{rclone.version(program)} move"
            sides.append(Side(name, Role.PEER, move, figure.objects, figure.check))
        limit = Side("bare COPY + HEAD + DeleteObjects", Role.LIMIT, figure.workers.work, figure.prepare_limit, figure.check)
        rounds.measure("S2 transition, 4 KiB, hot to warm", [*sides, limit], options)


if __name__ == "__main__":
    main()
