"""The shared setup of the figures about objects in S3: fresh buckets, objects and catalogs, and lanes."""

import base64
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import LiteralString, Self

import psycopg

from benchmarks.harness import filling, services
from benchmarks.harness.bare import Bare
from benchmarks.harness.lane import Lanes
from tierkeeper.base.callers import Caller
from tierkeeper.embedded.process import wait_until
from tierkeeper.engine.trust import own_objects
from tierkeeper.keeper import Keeper

IO_THREADS = 16  # that write, of each process; the default of engine.io_threads
PATIENCE = 600  # seconds
CALLER = Caller("benchmark")


class Scene:
    """The services and their content.

    ``undo``: the undo window of the built-in policies; the grace is zero. ``more``: further settings of our processes.
    """

    def __init__(self, stack: ExitStack, *, undo: str, **more: str) -> None:
        self.place: Path = stack.enter_context(services.folder())
        self.access = stack.enter_context(services.s3(self.place))
        self.server = stack.enter_context(services.postgres(self.place))
        # the limit is so high that the brake counts but stops nothing
        brake = {"TIERKEEPER_ENGINE__BRAKE_COUNT": "1000000"}
        self._more = {"TIERKEEPER_ENGINE__GRACE": "0s", "TIERKEEPER_ENGINE__UNDO": undo, **brake, **more}
        self._databases = services.Databases(self.server)
        self.bare = Bare(self.access)
        self.lanes = Lanes()
        self.made: list[filling.Made] = []
        self.buckets: list[str] = []
        self._number = 0
        self._keeper: Keeper | None = None
        self.catalog = ""

    def __enter__(self) -> Self:
        return self

    def objects(self, count: int, *, age: timedelta, buckets: Sequence[str], due: timedelta = filling.OVERDUE) -> None:
        """Make fresh buckets and put ``count`` objects into the first; the previous buckets are emptied."""
        for bucket in self.buckets:
            self.bare.empty(bucket)
        self._number += 1
        self.buckets = [f"{name}-{self._number}" for name in buckets]
        for bucket in self.buckets:
            self.bare.make_bucket(bucket)
        self.made = filling.make(count, age=age, due=due)
        filling.upload(self.bare, self.buckets[0], self.made)

    def fresh_catalog(self) -> None:
        """Make an empty database for a catalog."""
        self.catalog = self._databases.fresh()

    def founded(self, tiers: Sequence[str], **options: str) -> dict[str, str]:
        """Make a fresh catalog whose ``tiers`` are the buckets; return our processes' settings."""
        self.fresh_catalog()
        urls = {
            tier: services.tier(self.access, bucket, **options)
            for tier, bucket in zip(tiers, self.buckets, strict=True)
        }
        env = services.environment(self.place, catalog=self.catalog, tiers=urls, **self._more)
        services.init(env)
        return env

    def filled(self, tiers: Sequence[str], *, step: str, **options: str) -> dict[str, str]:
        """Fill a fresh catalog with the objects as copies in the first of ``tiers``; return our processes' settings."""
        env = self.founded(tiers, **options)
        filling.catalogue(self.catalog, self.made, tier=tiers[0], step=step)
        filling.tidy(self.catalog)
        return env

    def catalogue(self, tiers: Sequence[str], *, step: str, lanes: int, **options: str) -> None:
        """Fill a fresh catalog as :meth:`filled`; start lanes that converge."""
        env = self.filled(tiers, step=step, **options)
        self._keeper = Keeper.open(services.settings(env))
        self._keeper.runs.latest(limit=1)
        self.lanes.start([["converge"]] * lanes, env)

    @property
    def keeper(self) -> Keeper:
        """The keeper on the catalog that :meth:`catalogue` filled."""
        assert self._keeper is not None
        return self._keeper

    def rotate(self) -> None:
        """Let the lanes converge the due artifacts."""
        run = self.keeper.sweeps.rotate(caller=CALLER)
        self.lanes.tell(str(run))

    def rotate_and_collect(self) -> None:
        """Let the lanes converge the due artifacts, then collect the copies that this doomed."""
        self.rotate()
        self.keeper.sweeps.collect(caller=CALLER)

    def wait_for(self, counted: LiteralString, count: int) -> None:
        """Wait until ``counted``, a query of the catalog, returns ``count`` or more."""
        with psycopg.connect(self.catalog, autocommit=True) as connection:

            def reached() -> bool:
                row = connection.execute(counted).fetchone()
                return row is not None and row[0] >= count

            assert wait_until(reached, seconds=PATIENCE), "the worker is too slow"

    def left(self) -> tuple[list[tuple[str, str, int]], dict[str, int]]:
        """Return (tier, state, number) of the catalog's copies, and the number of events by type."""
        self.keeper.close()
        with psycopg.connect(self.catalog) as connection:
            copies = connection.execute("SELECT tier, state, count(*) FROM placements GROUP BY 1, 2 ORDER BY 1, 2")
            events = connection.execute("SELECT type, count(*) FROM events GROUP BY 1")
            return copies.fetchall(), dict(events.fetchall())

    def bare_lanes(self, task: str, *, lanes: int, threads: int) -> None:
        """Start lanes for bare calls, each with its share of the objects."""
        items = [[m.location, base64.b64encode(m.sha256).decode(), m.size] for m in self.made]
        job = {"access": asdict(self.access), "source": self.buckets[0], "target": self.buckets[-1]}
        commands = []
        for lane in range(lanes):
            file = self.place / f"lane-{lane}.json"
            file.write_text(json.dumps({**job, "items": items[lane::lanes]}))
            commands.append(["bare", task, str(file), str(threads)])
        self.lanes.start(commands, {})

    def stored(self, bucket: str) -> list[str]:
        """Return the keys of a bucket's objects besides a tier's own files."""
        bare = Bare(self.access)  # the server closes connections on which nothing came for long
        return [key for key in bare.keys(bucket) if not own_objects.is_own(key)]

    def holds(self, bucket: str, count: int) -> None:
        """Raise AssertionError unless a bucket has ``count`` objects besides a tier's own files."""
        objects = len(self.stored(bucket))
        assert objects == count, f"{bucket} has {objects} objects instead of {count}"
