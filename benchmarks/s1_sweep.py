"""S1: claim and decide ten thousand due artifacts of 10^5 and of 10^6: a sweep's cost does not grow with the catalog.

``together``: what is due was stored together; ``scattered``: it lies evenly over the tables. Ours: steps 1 and 2 of
converge in its batches, up to the point where the first intent would be written. Peer: a scan of all artifacts and
their copies, each looked at for its age. Limit: the same claims and the same rows read by hand-written SQL.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg

from benchmarks.harness import filling, rounds, services
from benchmarks.harness.rounds import Role, Samples, Side
from benchmarks.harness.spread import spread
from tierkeeper.base.callers import Caller
from tierkeeper.base.ids import new_id
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge.converge import claim_due, step_2_decide
from tierkeeper.keeper import Keeper

BATCH = 500  # the default of engine.batch
CHUNK = 50_000  # artifacts written at once
OLD, YOUNG = timedelta(days=10), timedelta(days=3)  # the policy moves what is older than 7 days

RESET = "UPDATE schedule SET lease_token = NULL, lease_until = NULL, attempts = 0 WHERE lease_token IS NOT NULL"
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT artifact_id FROM schedule WHERE parked_reason IS NULL AND braked_by IS NULL AND due_at <= now()
    AND (lease_until IS NULL OR lease_until <= now()) ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE schedule s SET lease_token = %s, lease_until = now() + interval '10 min', attempts = attempts + 1
FROM due WHERE s.artifact_id = due.artifact_id RETURNING s.artifact_id
"""
READ = """
SELECT a.id, a.created_at, a.state, a.wanted, a.metadata, n.workflow, n.name, p.id, p.tier, p.location, p.state
FROM artifacts a JOIN names n ON n.id = a.name_id JOIN placements p ON p.blob_id = a.blob_id WHERE a.id = ANY(%s)
"""
SCAN = """
SELECT a.id, n.workflow, n.name, a.created_at, a.metadata, p.tier, p.location
FROM artifacts a JOIN names n ON n.id = a.name_id JOIN placements p ON p.blob_id = a.blob_id
WHERE a.state = 'live' AND p.state = 'present'
"""


class Catalog:
    """A filled catalog, and the work of each side on it."""

    def __init__(self, settings_of: services.Environments, url: str, *, size: int, due: int, scattered: bool) -> None:
        self.url, self.size, self.due = url, size, due
        self.group = f"{size} {'scattered' if scattered else 'together'}"
        step = size // due if scattered else 1
        self._due = range(0, step * due, step) if scattered else range(size // 2 - due // 2, size // 2 - due // 2 + due)
        self._fill()
        self.keeper = Keeper.open(services.settings(settings_of(url)))
        self.found = 0

    def _fill(self) -> None:
        for start in range(0, self.size, CHUNK):
            numbers = range(start, min(start + CHUNK, self.size))
            artifacts = filling.imagine(
                numbers,
                lambda n: OLD if n in self._due else YOUNG,
                # oldest first is the order of the table where it was stored together
                lambda n: timedelta(seconds=n / self.size - 3600) if n in self._due else timedelta(days=4 + n % 97),
            )
            filling.catalogue(self.url, artifacts, tier="hot", step="move to warm")
        filling.tidy(self.url)

    def prepare(self) -> None:
        """Release every lease."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(RESET)
            connection.execute("VACUUM schedule")
            connection.execute("CHECKPOINT")
        self.found = 0

    def ours(self) -> None:
        """Claim and decide in batches until nothing is due."""
        engine, caller = self.keeper.engine, Caller("benchmark")
        # a token a batch, as rotate has: what a token claimed and did not settle, it claims again
        while claimed := claim_due(engine, Worker(new_id(), caller), tenant=None):
            plan = step_2_decide(engine, [c.artifact for c in claimed])
            self.found += len(plan.lacking)

    def limit(self) -> None:
        """Claim and read the same rows by hand-written SQL."""
        with psycopg.connect(self.url) as connection:
            while rows := connection.execute(CLAIM, [BATCH, uuid4()]).fetchall():
                connection.commit()
                self.found += len(connection.execute(READ, [[row[0] for row in rows]]).fetchall())
                connection.commit()

    def scan(self) -> None:
        """Scan all artifacts and their copies."""
        end = datetime.now(UTC) - timedelta(days=7)
        with psycopg.connect(self.url) as connection, connection.cursor("scan") as cursor:
            cursor.itersize = 10_000
            self.found = sum(row[3] <= end for row in cursor.execute(SCAN))

    def check(self) -> None:
        """Check that all due artifacts were found, and no others."""
        assert self.found == self.due, f"{self.found} of {self.due}"

    def sides(self) -> Iterator[Side]:
        """Yield the sides on this catalog."""
        for name, role, work in (
            ("tierkeeper", Role.OURS, self.ours),
            ("full scan", Role.PEER, self.scan),
            ("hand-written SQL", Role.LIMIT, self.limit),
        ):
            yield Side(name, role, work, self.prepare, self.check, group=self.group)


def growth(samples: list[Samples]) -> Iterator[str]:
    """Yield in words the cost of the larger catalogs relative to the smallest of the same layout, round by round."""
    ours = [s for s in samples if s.side.role is Role.OURS]
    for layout in ("together", "scattered"):
        first, *larger = [s for s in ours if s.side.group.endswith(layout)]
        for each in larger:
            ratios = [b.seconds / a.seconds for a, b in zip(first.usage, each.usage, strict=True)]
            yield f"{each.side.group} costs {spread(ratios)} times {first.side.group}"


def main() -> None:
    parser = rounds.arguments(__doc__, items=10_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**5, 10**6], help="artifacts in the catalogs")
    options: argparse.Namespace = parser.parse_args()
    with ExitStack() as stack:
        place = stack.enter_context(services.folder())
        server = stack.enter_context(services.postgres(place))
        environments = services.Environments(place)
        sides: list[Side] = []
        for size in options.sizes:
            for scattered in (False, True):
                name = f"bench_{size}_{'scattered' if scattered else 'together'}"
                server.create_database(name)
                services.init(environments(server.url(name)))
                catalog = Catalog(environments, server.url(name), size=size, due=options.items, scattered=scattered)
                stack.callback(catalog.keeper.close)
                sides.extend(catalog.sides())
        samples = rounds.measure("s1_sweep", "S1 sweep: claim and decide", sides, options, server=server)
    print("\n".join(growth(samples)))


if __name__ == "__main__":
    main()
