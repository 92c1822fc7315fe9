"""The facade that everything above calls, and the process's own keeper."""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Self
from uuid import UUID

from tierkeeper.base.errors import PolicyNotFound, RunNotFound
from tierkeeper.base.settings import Settings
from tierkeeper.base.states import RunKind
from tierkeeper.base.values import (
    ArtifactView,
    Call,
    EventView,
    Explanation,
    Filter,
    ItemError,
    PlanItem,
    PolicyChange,
    PolicyView,
    Ref,
    RunView,
    StoreResult,
    SweepResult,
    TierStats,
    VerbResult,
)
from tierkeeper.catalog import artifacts, browse, events, migrate, runs, schedule
from tierkeeper.catalog.database import Database, take_time
from tierkeeper.engine import collect as collecting
from tierkeeper.engine import founding, governing, ingest, marking, reading, sweep, verbs, views
from tierkeeper.engine import maintain as maintaining
from tierkeeper.engine import plan as planning
from tierkeeper.engine import recompute as recomputing
from tierkeeper.engine import verify as verifying
from tierkeeper.engine.access import AccessLog
from tierkeeper.engine.context import Engine
from tierkeeper.engine.marks import Marks
from tierkeeper.engine.memory import CatalogMemory
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.policybook import PolicyBook
from tierkeeper.policy import document, match, s3_lifecycle
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.steering import Steering
from tierkeeper.stores import factory
from tierkeeper_client.contract import ArchiveArgs, PromoteArgs, PurgeArgs, RestoreArgs, StoreArgs, UndeleteArgs

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """An artifact being read from ``tier``, verified while its chunks are taken."""

    view: ArtifactView
    tier: str
    chunks: Iterator[bytes]


class Keeper:
    """Everything tierkeeper does, for one process; safe to use from many threads. Made after fork."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self._engine = engine
        self._access = AccessLog(engine)
        self._checked = False
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Return a keeper; catalog and stores are connected when they are first used.

        Raises SettingInvalid and the errors of a tier's URL.
        """
        numbers = settings.engine
        stores = {
            name: factory.make(name, tier, io_threads=numbers.io_threads, catalog_url=settings.catalog.url)
            for name, tier in settings.tiers.items()
        }
        by_temperature = sorted(settings.tiers, key=lambda name: settings.tiers[name].temperature.rank)
        tiers = [
            TierInfo(
                name=name,
                temperature=settings.tiers[name].temperature,
                rank=rank,
                is_database=stores[name].is_database,
            )
            for rank, name in enumerate(by_temperature)
        ]
        threads = ThreadPoolExecutor(max_workers=numbers.io_threads, thread_name_prefix="tierkeeper-io")
        catalog = Database(settings.catalog)
        marks = Marks(catalog)
        for name, store in stores.items():
            store.remember(CatalogMemory(catalog, name))
            store.guard = marks.guard(store)
        return cls(settings, Engine(settings, catalog, stores, tiers, PolicyBook(), threads, marks))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is gathered and give back connections and threads."""
        if self._checked:
            self._access.flush()
        self._engine.threads.shutdown()
        for store in self._engine.stores.values():
            store.close()
        self._engine.catalog.close()

    def init(self, *, actor: str = "init") -> list[str]:
        """Make or upgrade the catalog, make and mark every tier, write the built-in policies; return what was made.

        Raises TierNotOurs, when all else is done, where a tier has no mark, or another's, and may not get one.
        """
        return founding.init(self._engine, self.tiers, actor=actor)

    def start(self, *, actor: str = "init") -> list[str]:
        """Make or upgrade an embedded catalog, which nobody else looks after; return what was made.

        Raises as :meth:`init`; only the first start makes places, and only those of the embedded default.
        """
        return founding.start(self._engine, self.tiers, actor=actor)

    def adopt(self, tier: str, *, actor: str, reason: str, lost: bool) -> None:
        """Take a place over as this tier's, whatever mark it has; ``lost``: although none of its copies is there."""
        marking.adopt(self.engine, tier, actor=actor, reason=reason, lost=lost)

    @property
    def engine(self) -> Engine:
        """The engine, once the catalog is known to be at the revision that this code needs (CatalogNotReady)."""
        if not self._checked:
            with self._lock, self._engine.catalog.reading() as connection:
                migrate.check(connection)
                self._checked = True
        return self._engine

    @property
    def steer(self) -> Steering:
        """What an operator sees and decides: the parked, the brake, plans, reconcile, rebuild, health."""
        return Steering(self.engine)

    def tiers(self) -> list[TierInfo]:
        """Return the tiers, hottest first; their stores are asked whether they can lock."""
        engine = self._engine
        return [dataclasses.replace(tier, can_lock=engine.store(tier.name).can_lock) for tier in engine.tiers]

    # -- store and read

    def store(self, args: StoreArgs, *, call: Call, content: BinaryIO | None = None) -> StoreResult:
        """Store one artifact; ``content`` is given by callers in this process instead of ``args.content``."""
        return ingest.store(self.engine, args, call=call, content=content)

    def store_many(self, items: Sequence[StoreArgs | ItemError], *, call: Call) -> list[StoreResult | ItemError]:
        """Store a batch of small artifacts; one outcome each, in their order; what is an error already stays one."""
        return ingest.store_many(self.engine, items, call=call)

    @contextmanager
    def open_artifact(
        self, ref: Ref, *, deleted: bool = False, offset: int = 0, length: int | None = None
    ) -> Iterator[Reading]:
        """Open an artifact for streaming; the hottest copy that answers. A whole read is verified before its end."""
        row = reading.find(self.engine, ref, deleted=deleted)
        with reading.opened(self.engine, row, offset=offset, length=length) as opened:
            self._access.note(row.id)
            yield Reading(self.show(row.ref), opened.tier, opened.chunks)

    def fetch(self, ref: Ref, target: Path, *, deleted: bool = False, progress: Progress | None = None) -> ArtifactView:
        """Write an artifact to a file: whole and verified, or not at all."""
        row = reading.find(self.engine, ref, deleted=deleted)
        reading.fetch(self.engine, row, target, progress=progress)
        self._access.note(row.id)
        return self.show(row.ref)

    # -- look

    def show(self, ref: Ref) -> ArtifactView:
        """Return one artifact, in whatever state."""
        return views.show(self.engine, ref)

    def select(self, filter: Filter, *, limit: int | None = None) -> Iterator[ArtifactView]:  # noqa: A002  the word of the CLI
        """Yield what matches, by tenant, workflow, name and version."""
        return views.select(self.engine, filter, limit=limit)

    def count(self, filter: Filter) -> int:  # noqa: A002  as select
        """Return how many artifacts match."""
        with self.engine.catalog.reading() as connection:
            return browse.count(connection, filter)

    def explain(self, ref: Ref) -> Explanation:
        """Say why an artifact is where it is, what comes next and when; or how it ended."""
        return views.explain(self.engine, ref)

    def stats(self, *, tenant: str | None = None) -> list[TierStats]:
        """Return every tier's counts, hottest first."""
        return views.stats(self.engine, tenant=tenant)

    def events(
        self,
        *,
        tenant: str | None = None,
        ref: Ref | None = None,
        type: str | None = None,  # noqa: A002  the column's name
        since: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = True,
    ) -> Iterator[EventView]:
        """Yield events by time; of ``ref`` without a version those of all its versions."""
        with self.engine.catalog.reading() as connection:
            subjects = None
            if ref is not None:
                found = artifacts.versions(connection, ref)
                subjects = [row.id for row in found if ref.version in {None, row.version}]
            take_time(connection)  # whoever reads them may be slow, such as a pager
            yield from events.query(
                connection,
                tenant=tenant,
                subjects=subjects,
                type_=type,
                since=since,
                limit=limit,
                newest_first=newest_first,
            )

    def runs(self, *, kind: RunKind | None = None, limit: int = 20) -> list[RunView]:
        """Return the newest runs."""
        with self.engine.catalog.reading() as connection:
            return runs.latest(connection, kind=kind, limit=limit)

    def run(self, id: UUID) -> RunView:  # noqa: A002  it is one
        """Return one run; RunNotFound if there is none."""
        with self.engine.catalog.reading() as connection:
            found = runs.view(connection, id)
        if found is None:
            raise RunNotFound(run=str(id))
        return found

    # -- verbs

    def promote(self, args: PromoteArgs, *, call: Call, dry_run: bool = False) -> list[VerbResult]:
        """Move to one tier, in either direction, until the next phase begins."""
        return verbs.promote(self.engine, args, call=call, dry_run=dry_run)

    def archive(self, args: ArchiveArgs, *, call: Call, dry_run: bool = False) -> list[VerbResult]:
        """Move to the coldest tier, for good."""
        return verbs.archive(self.engine, args, call=call, dry_run=dry_run)

    def restore(self, args: RestoreArgs, *, call: Call, dry_run: bool = False) -> list[VerbResult]:
        """Add a copy in the hottest tier, for a time or for good."""
        return verbs.restore(self.engine, args, call=call, dry_run=dry_run)

    def purge(self, args: PurgeArgs, *, call: Call, dry_run: bool = False) -> list[VerbResult]:
        """Delete now; gone after the undo window."""
        return verbs.purge(self.engine, args, call=call, dry_run=dry_run)

    def undelete(self, args: UndeleteArgs, *, call: Call, dry_run: bool = False) -> list[VerbResult]:
        """Live again, while the undo window lasts."""
        return verbs.undelete(self.engine, args, call=call, dry_run=dry_run)

    # -- sweeps

    def plan(
        self, *, tenant: str | None = None, as_of: datetime | None = None, limit: int | None = None
    ) -> Iterator[PlanItem]:
        """Yield what a rotation would do, item by item with reasons."""
        return planning.due(self.engine, tenant=tenant, as_of=as_of, limit=limit)

    def due(self, *, tenant: str | None = None) -> int:
        """Return how many artifacts are due now."""
        with self.engine.catalog.reading() as connection:
            return schedule.count_due(connection, tenant=tenant)

    def rotate(self, *, actor: str = "beat", tenant: str | None = None, databases_only: bool = False) -> UUID | None:
        """Begin a run of converge; None if nothing is due, or such a run is at work."""
        kind = RunKind.CLEAN_HOT if databases_only else RunKind.ROTATE
        return sweep.rotate(self.engine, actor=actor, tenant=tenant, kind=kind)

    def converge_due(
        self, run: UUID, *, deadline: float | None = None, progress: Progress | None = None
    ) -> SweepResult:
        """Converge what is due for a run, until nothing is or ``deadline`` (``time.monotonic``) is over."""
        return sweep.converge_due(self.engine, run, deadline=deadline, progress=progress)

    def collect(
        self,
        *,
        dry_run: bool = False,
        deadline: float | None = None,
        actor: str = "beat",
        progress: Progress | None = None,
    ) -> SweepResult:
        """Physically delete what is doomed and ripe."""
        return collecting.collect(self.engine, actor=actor, dry_run=dry_run, deadline=deadline, progress=progress)

    def recompute(self, *, deadline: float | None = None) -> SweepResult:
        """Finish the recomputes that policy edits left."""
        return recomputing.recompute(self.engine, deadline=deadline)

    def verify(
        self,
        *,
        filter: Filter | None = None,  # noqa: A002  as select
        share: float | None = None,
        deadline: float | None = None,
        actor: str = "beat",
        progress: Progress | None = None,
    ) -> SweepResult:
        """Read copies and compare their hashes: those of what matches, or a share of all, doubtful ones first."""
        return verifying.verify(
            self.engine, filter_=filter, share=share, actor=actor, deadline=deadline, progress=progress
        )

    def maintain(self, *, actor: str = "beat") -> SweepResult:
        """Keep the catalog itself and staging in order."""
        return maintaining.maintain(self.engine, actor=actor)

    # -- policies

    def policy_apply(self, text: str, *, source: str, actor: str, dry_run: bool = False) -> list[PolicyChange]:
        """Make the policies in ``text`` (YAML or JSON) govern; PolicyInvalid and PolicyTie change nothing."""
        parsed = document.parse(text, source=source, tiers=self.tiers())
        return self._applied(governing.apply(self.engine, parsed, actor=actor, dry_run=dry_run), dry_run=dry_run)

    def policy_import_s3(
        self,
        text: str,
        *,
        name: str,
        source: str,
        actor: str,
        tenant: str | None = None,
        workflow: str | None = None,
        dry_run: bool = False,
    ) -> list[PolicyChange]:
        """Apply an S3 lifecycle configuration; what it can't express is an error."""
        parsed = s3_lifecycle.import_lifecycle(
            text,
            name=name,
            source=source,
            tiers=self.tiers(),
            tier_of_class=governing.tier_of_class(self._engine),
            tenant=tenant,
            workflow=workflow,
        )
        return self._applied(governing.apply(self.engine, parsed, actor=actor, dry_run=dry_run), dry_run=dry_run)

    def policies(self, *, all_versions: bool = False) -> list[PolicyView]:
        """Return the active policies, or every version of every one."""
        return governing.views(self.engine, all_versions=all_versions)

    def policy(self, name: str, version: int | None = None) -> PolicyView:
        """Return one policy, the newest version without a number."""
        found = [v for v in governing.views(self.engine, name=name) if version in {None, v.version}]
        if not found:
            raise PolicyNotFound(name=f"{name} v{version}")
        return found[-1]

    def policy_remove(self, name: str, *, actor: str) -> PolicyChange:
        """End a policy; what it governed falls to the next that matches."""
        return self._applied([governing.remove(self.engine, name, actor=actor)], dry_run=False)[0]

    def policy_test(self, subject: match.Subject) -> tuple[match.Verdict, ...]:
        """Say of every active policy how it stands to a subject, the governing one first."""
        engine = self.engine
        with engine.catalog.reading() as connection:
            return match.why(Moment.read(connection, engine).policies, subject)

    def _applied(self, changes: list[PolicyChange], *, dry_run: bool) -> list[PolicyChange]:
        if not dry_run:
            recomputing.recompute(self.engine)
        return changes


_process: list[Keeper] = []


def configure(settings: Settings) -> Keeper:
    """Make the process's keeper; called by the worker's signals after fork."""
    _process[:] = [Keeper.open(settings)]
    return _process[0]


def current() -> Keeper:
    """Return the process's keeper; RuntimeError if :func:`configure` was not called."""
    if not _process:
        msg = "no keeper is configured in this process; call tierkeeper.keeper.configure(settings)"
        raise RuntimeError(msg)
    return _process[0]
