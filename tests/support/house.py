"""A whole tierkeeper in one process: keeper, catalog, tiers; with the words that scenarios are told in."""

# ruff: noqa: ANN401  arguments of many types are handed on to models that check them

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from support import invariants
from support.callers import TESTER
from tierkeeper.base import callers
from tierkeeper.base.errors import SweepAtWork
from tierkeeper.engine.trust import epoch
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.stores import layout
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.errors import TierNotOurs
from tierkeeper.stores.s3.store import S3Store
from tierkeeper.values.artifacts import ArtifactView, Ref, StoreResult, VerbResult
from tierkeeper.values.runs import SweepResult
from tierkeeper_client.contract import (
    ArchiveArgs,
    InlineContent,
    MessageContent,
    PromoteArgs,
    PurgeArgs,
    RestoreArgs,
    StagedContent,
    StoreArgs,
    UndeleteArgs,
)

TENANT, WORKFLOW = "acme", "reports"
#: longer than a lease of the default settings, and than the time that a late write has after it
LEASES_END = timedelta(minutes=3)
#: nothing waits: what is doomed may be collected at once
AT_ONCE: Mapping[str, Any] = {"grace": "0s"}
_TIMES = {
    "artifacts": (
        "created_at stored_at accessed_at deleted_at purge_at purged_at retain_until override_until not_before"
    ),
    "schedule": "due_at lease_until",
    "placements": (
        "lease_until locked_until made_at verified_at missed_at damaged_at doomed_at delete_after unseen_since"
        " refused_since refused_at"
    ),
    "staging": "seen_at expires_at",
    "quarantine": "first_seen seen_again deleting_at refused_since refused_at",
    "runs": "seen_at",
}


@dataclass(frozen=True, slots=True)
class House:
    """A keeper, and short ways to use it as user ``tester``; every call has a key of its own."""

    keeper: Keeper
    settings: Settings

    # -- store and look

    def store(
        self,
        name: str = "a",
        content: bytes | MessageContent = b"content",
        *,
        age: timedelta | None = None,
        **more: Any,
    ) -> StoreResult:
        """Store an artifact that was created ``age`` ago."""
        return self.keeper.artifacts.store(self.args(name, content, age=age, **more), caller=TESTER)

    def args(
        self,
        name: str = "a",
        content: bytes | MessageContent = b"content",
        *,
        age: timedelta | None = None,
        **more: Any,
    ) -> StoreArgs:
        """Return the arguments of such a store."""
        created = None if age is None else datetime.now(UTC) - age
        fields = {"tenant": TENANT, "workflow": WORKFLOW, "name": name, "created": created} | more
        given = InlineContent.of(content) if isinstance(content, bytes) else content
        return StoreArgs(content=given, **fields)

    def ref(self, name: str = "a", version: int | None = None) -> Ref:
        """Return a reference."""
        return Ref(TENANT, WORKFLOW, name, version)

    def show(self, name: str = "a", version: int | None = None) -> ArtifactView:
        """Return an artifact."""
        return self.keeper.artifacts.show(self.ref(name, version))

    def tiers(self, name: str = "a", version: int | None = None) -> set[str]:
        """Return the tiers that have a present copy."""
        return set(self.show(name, version).tiers)

    def read(self, name: str = "a", version: int | None = None, *, deleted: bool = False) -> bytes:
        """Return an artifact's bytes."""
        with self.keeper.artifacts.open(self.ref(name, version), deleted=deleted) as reading:
            return b"".join(reading.chunks)

    def events(self, name: str = "a", version: int | None = None) -> list[str]:
        """Return the types of an artifact's events, oldest first."""
        return [e.type for e in self.keeper.events.select(ref=self.ref(name, version), newest_first=False)]

    def everything(self) -> list[str]:
        """Return every object in every tier, as ``tier/location``."""
        engine = self.keeper.engine
        return sorted(f"{t.name}/{s.location}" for t in engine.tiers for s in engine.store(t.name).list())

    # -- verbs

    def promote(self, name: str, to_tier: str, **more: Any) -> list[VerbResult]:
        """Promote."""
        args = PromoteArgs(tenant=TENANT, workflow=WORKFLOW, name=name, to_tier=to_tier, **more)
        return self.keeper.artifacts.promote(args, caller=TESTER)

    def archive(self, name: str = "a", **more: Any) -> list[VerbResult]:
        """Archive."""
        return self.keeper.artifacts.archive(
            ArchiveArgs(tenant=TENANT, workflow=WORKFLOW, name=name, **more), caller=TESTER
        )

    def restore(self, name: str = "a", **more: Any) -> list[VerbResult]:
        """Restore."""
        return self.keeper.artifacts.restore(
            RestoreArgs(tenant=TENANT, workflow=WORKFLOW, name=name, **more), caller=TESTER
        )

    def purge(self, name: str = "a", **more: Any) -> list[VerbResult]:
        """Purge."""
        return self.keeper.artifacts.purge(
            PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name=name, **more), caller=TESTER
        )

    def undelete(self, name: str = "a", **more: Any) -> list[VerbResult]:
        """Undelete."""
        return self.keeper.artifacts.undelete(
            UndeleteArgs(tenant=TENANT, workflow=WORKFLOW, name=name, **more), caller=TESTER
        )

    # -- sweeps and time

    def turn(self) -> Counter[str]:
        """Rotate and converge until nothing is due, or another run is at work; return the counts."""
        counts: Counter[str] = Counter()
        with suppress(SweepAtWork):
            while (run := self.keeper.sweeps.rotate(caller=callers.BEAT)) is not None:
                result = self.keeper.sweeps.converge_due(run)
                counts.update(result.counts)
        return counts

    def collect(self) -> SweepResult:
        """Collect."""
        return self.keeper.sweeps.collect(caller=callers.BEAT)

    def settle(self) -> None:
        """Turn and collect, then ask every invariant, and that nothing is left to do."""
        self.turn()
        self.collect()
        invariants.check_settled(self.keeper)

    def policy(self, text: str, *, source: str = "test.yaml") -> None:
        """Apply a policy."""
        self.keeper.policies.apply(text, source=source, caller=TESTER)

    def days_pass(self, days: float) -> None:
        """Let time pass: every moment in the catalog lies ``days`` further back, so that all ages grow together."""
        self.pass_time(timedelta(days=days))

    def pass_time(self, length: timedelta) -> None:
        """Let ``length`` pass; the walls that forbid shortening a retention are down for this one transaction."""
        with self.keeper.engine.catalog.engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            for table, columns in _TIMES.items():
                moved = ", ".join(f"{column} = {column} - CAST(:length AS interval)" for column in columns.split())
                connection.execute(sa.text(f"UPDATE {table} SET {moved}"), {"length": length})  # noqa: S608  constants

    def reset(self) -> None:
        """Empty the catalog and the folders of the tiers, as if nothing had ever been stored; its epoch stays."""
        with self.keeper.engine.catalog.engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            connection.execute(
                sa.text(
                    "TRUNCATE artifacts, names, blobs, placements, schedule, events, commands, holds, runs, tenants"
                    " CASCADE"
                )
            )
        for engine_tier in self.keeper.engine.tiers:
            store = self.keeper.engine.store(engine_tier.name)
            keys = [ObjectKey(s.location) for s in store.list() if not s.location.startswith(epoch.FOLDER)]
            if keys:
                store.delete(keys)

    # -- the catalog, directly

    def sql(self, statement: str, **arguments: Any) -> list[Any]:
        """Run one statement in a transaction of its own; return its rows."""
        with self.keeper.engine.catalog.engine.begin() as connection:
            result = connection.execute(sa.text(statement), arguments)
            return list(result) if result.returns_rows else []

    def hold(self, name: str = "a", *, called: str = "lawsuit") -> None:
        """Put a legal hold on an artifact's latest version."""
        self.sql(
            "INSERT INTO holds (id, artifact_id, name, by, reason) VALUES (:id, :artifact, :name, 'tester', 'it is')",
            id=uuid4(),
            artifact=self.show(name).id,
            name=called,
        )

    def release(self, name: str = "a") -> None:
        """Release an artifact's holds and make it due."""
        artifact = self.show(name).id
        self.sql("UPDATE holds SET released_at = now(), released_by = 'tester' WHERE artifact_id = :id", id=artifact)
        self.due(artifact)

    def due(self, artifact: UUID) -> None:
        """Make an artifact due now."""
        self.sql(
            "INSERT INTO schedule (artifact_id, tenant, due_at, step) SELECT id, tenant, now(), 'look' FROM artifacts"
            " WHERE id = :id ON CONFLICT (artifact_id) DO UPDATE SET due_at = excluded.due_at",
            id=artifact,
        )


OpenHouse = Callable[..., House]


def staged(house: House, content: bytes) -> StagedContent:
    """Put content where a client would."""
    name = str(uuid4())
    (Path(house.settings.staging.url.removeprefix("file://")) / name).write_bytes(content)
    return StagedContent(name=name)


def buckets(endpoint: str) -> dict[str, dict[str, str]]:
    """Warm and cold as two buckets of one S3 server; hot stays in a folder."""
    return {
        "warm": {"url": f"s3://warm-bucket/some/prefix?endpoint={endpoint}"},
        "cold": {"url": f"s3://cold-bucket?endpoint={endpoint}"},
    }


def restored(house: House, content: bytes, *, to_tier: str = "hot") -> House:
    """Give it an artifact old enough for cold, and restored from there: one copy in cold, one in ``to_tier``."""
    house.store(content=content, age=timedelta(days=40))
    house.turn()
    house.restore(to_tier=to_tier)
    house.settle()
    assert house.tiers() == {to_tier, "cold"}
    return house


def initialized(keeper: Keeper) -> None:
    """Initialize; tiers that have the marks of another catalog are left to a rebuild, as an operator would."""
    with suppress(TierNotOurs):
        keeper.init(caller=callers.INIT)


@contextmanager
def without_bucket(store: S3Store) -> Iterator[None]:
    """Take a bucket away in which nothing lies but the tier's mark; afterwards both are there again."""
    place, mark = store.place, store.mark()
    assert mark is not None
    place.client.delete_object(**place.address(layout.MARK, None))
    place.client.delete_bucket(Bucket=place.bucket)
    yield
    place.client.create_bucket(Bucket=place.bucket)
    store.write_mark(mark)


@contextmanager
def houses(settings_factory: Callable[..., Settings]) -> Iterator[OpenHouse]:
    """Opens houses with nested overrides of the settings; what is open at the end is checked and closed."""
    with ExitStack() as stack:

        def open_house(**overrides: Any) -> House:
            engine = {**AT_ONCE, **overrides.pop("engine", {})}
            settings = settings_factory(engine=engine, **overrides)
            keeper = stack.enter_context(Keeper.open(settings))
            keeper.init(caller=callers.INIT)
            stack.callback(invariants.check, keeper)
            return House(keeper, settings)

        yield open_house
