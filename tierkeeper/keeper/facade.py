"""The keeper: opens and closes the catalog, stores and threads of a process, and gives access to the resources."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, Self

from tierkeeper import connections
from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import SettingInvalid, TierkeeperError
from tierkeeper.base.quantities import Unusable
from tierkeeper.catalog import migrate, revisions
from tierkeeper.catalog.database import Database
from tierkeeper.engine.active_policies import PolicyBook
from tierkeeper.engine.context import Engine
from tierkeeper.engine.ingest.gathering import Gathering
from tierkeeper.engine.mark_check import Marks
from tierkeeper.engine.operations import deliveries, founding
from tierkeeper.engine.read.access_times import AccessLog
from tierkeeper.engine.trust.server_abilities import CatalogMemory
from tierkeeper.keeper import (
    artifacts,
    deletes,
    events,
    health,
    parked,
    plans,
    policies,
    recovery,
    runs,
    sweeps,
    tiers,
)
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.settings import Settings
from tierkeeper.stores import factory
from tierkeeper.stores.base import Store

_log = log.get(__name__)

EMBEDDED: Final = "postgresql:"  # stands for an embedded catalog, which has no URL before it runs


class Keeper:
    """All operations of tierkeeper for one process; safe to use from many threads. Open it after a fork."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self._engine = engine
        self._access = AccessLog(engine)
        self._gathering = Gathering(engine)
        self._checked = False
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Return a keeper; catalog and stores are connected on first use.

        Raises SettingInvalid and the errors of a tier's URL.
        """
        _check_catalog_url(settings)
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
                can_lock=partial(_can_lock, stores, name),
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

    @staticmethod
    def unusable_urls(settings: Settings) -> dict[str, TierkeeperError]:
        """Return the error of each URL of catalog and tiers that cannot be used, by its setting; nothing is connected.

        A tier on the catalog's server is judged by what it says itself.
        """
        found: dict[str, TierkeeperError] = {}
        try:
            _check_catalog_url(settings)
        except SettingInvalid as error:
            found["catalog.url"] = error
        catalog = EMBEDDED if found else settings.catalog.url or EMBEDDED
        for name, tier in settings.tiers.items():
            try:
                factory.check(name, tier, catalog_url=catalog)
            except TierkeeperError as error:
                found[f"tiers.{name}.url"] = error
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the collected access times and close connections and threads."""
        if self._checked:
            self._access.flush()
        self._engine.threads.shutdown()
        for tier, store in self._engine.stores.items():
            try:
                store.close()
            except TierkeeperError as error:
                _log.warning("a tier's store could not be closed", tier=tier, error=str(error))
        self._engine.catalog.close()

    def init(self, *, caller: Caller) -> list[str]:
        """Make or upgrade the catalog, make and mark every tier, write the built-in policies; return each in words.

        Raises TierNotOurs, after all else is done, for a tier with a foreign mark, or without a mark where none may be
        written.
        """
        return founding.init(self._engine, caller=caller)

    def start(self, *, caller: Caller) -> list[str]:
        """Make or upgrade an embedded catalog, which no administrator maintains; return in words what was made.

        Raises as :meth:`init`; only the first start makes places, and only those of the embedded default.
        """
        return founding.start(self._engine, caller=caller)

    def downgrade(self, revision: str) -> str:
        """Bring the catalog, which may be an older one, back to a revision before its own; return the one it was at."""
        return migrate.downgrade(self.settings.catalog.url or "", revision)

    @property
    def engine(self) -> Engine:
        """The engine; the first access checks that the catalog has the revision of this code (CatalogNotReady)."""
        if not self._checked:
            with self._lock, self._engine.catalog.reading() as connection:
                revisions.check(connection)
                self._checked = True
        return self._engine

    @property
    def artifacts(self) -> "artifacts.Artifacts":
        """Artifacts: store, read, select, explain, move and delete."""
        return artifacts.Artifacts(self.engine, self._access, self._gathering)

    @property
    def tiers(self) -> "tiers.Tiers":
        """Tiers: list, count their copies, adopt their places."""
        return tiers.Tiers(self.engine)

    @property
    def policies(self) -> "policies.Policies":
        """Policies: apply, show, remove and test."""
        return policies.Policies(self.engine)

    @property
    def sweeps(self) -> "sweeps.Sweeps":
        """The periodic jobs: rotate, converge_due, collect, recompute, verify, reconcile, maintain."""
        return sweeps.Sweeps(self.engine)

    @property
    def runs(self) -> "runs.Runs":
        """Runs: list, and approve or reject those that await an approval."""
        return runs.Runs(self.engine)

    @property
    def plans(self) -> "plans.Plans":
        """Plans: the actions that a run would take; make, store and apply them."""
        return plans.Plans(self.engine)

    @property
    def parked(self) -> "parked.ParkedWork":
        """Stuck artifacts and messages: list, retry and skip."""
        return parked.ParkedWork(self.engine)

    @property
    def events(self) -> "events.Events":
        """The audit log."""
        return events.Events(self.engine)

    @property
    def deletes(self) -> "deletes.Deletes":
        """The switch for physical deletes."""
        return deletes.Deletes(self.engine)

    @property
    def health(self) -> "health.HealthChecks":
        """Health checks of the installation."""
        return health.HealthChecks(self.engine)

    @property
    def recovery(self) -> "recovery.Recovery":
        """Operations on the catalog as a whole: dump, rebuild, examine, accept a restore."""
        return recovery.Recovery(self.engine)

    @property
    def deliveries(self) -> "deliveries.Deliveries":
        """Messages that did not succeed at once: count attempts, park, keep and send again."""
        return deliveries.Deliveries(self.engine)


def _can_lock(stores: Mapping[str, Store], tier: str) -> bool:
    return stores[tier].can_lock


def _check_catalog_url(settings: Settings) -> None:
    """Raise SettingInvalid for what libpq cannot read, before a tier on the same server is blamed for it."""
    if settings.catalog.url is None:
        return
    try:
        connections.parameters(settings.catalog.url, connect_timeout=1)
    except Unusable as error:
        source = settings.source_of("catalog.url")
        raise SettingInvalid(name="catalog.url", source=source, problem=error.problem, fix=error.fix) from None
