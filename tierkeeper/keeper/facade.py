"""The keeper: opens and closes what a process works with, and hands out its resources."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import migrate
from tierkeeper.catalog.database import Database
from tierkeeper.engine.context import Engine
from tierkeeper.engine.marks import Marks
from tierkeeper.engine.operations import founding
from tierkeeper.engine.operations.deliveries import Deliveries
from tierkeeper.engine.policybook import PolicyBook
from tierkeeper.engine.read.access import AccessLog
from tierkeeper.engine.trust.memory import CatalogMemory
from tierkeeper.keeper.artifacts import Artifacts
from tierkeeper.keeper.deletes import Deletes
from tierkeeper.keeper.events import Events
from tierkeeper.keeper.health import HealthChecks
from tierkeeper.keeper.parked import ParkedWork
from tierkeeper.keeper.plans import Plans
from tierkeeper.keeper.policies import Policies
from tierkeeper.keeper.recovery import Recovery
from tierkeeper.keeper.runs import Runs
from tierkeeper.keeper.sweeps import Sweeps
from tierkeeper.keeper.tiers import Tiers
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.settings import Settings
from tierkeeper.stores import factory


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

    def init(self, *, caller: Caller) -> list[str]:
        """Make or upgrade the catalog, make and mark every tier, write the built-in policies; return what was made.

        Raises TierNotOurs, when all else is done, where a tier has no mark, or another's, and may not get one.
        """
        return founding.init(self._engine, caller=caller)

    def start(self, *, caller: Caller) -> list[str]:
        """Make or upgrade an embedded catalog, which nobody else looks after; return what was made.

        Raises as :meth:`init`; only the first start makes places, and only those of the embedded default.
        """
        return founding.start(self._engine, caller=caller)

    @property
    def engine(self) -> Engine:
        """The engine, once the catalog is known to be at the revision that this code needs (CatalogNotReady)."""
        if not self._checked:
            with self._lock, self._engine.catalog.reading() as connection:
                migrate.check(connection)
                self._checked = True
        return self._engine

    @property
    def artifacts(self) -> Artifacts:
        """What is stored: put, read, found, explained, moved and deleted."""
        return Artifacts(self.engine, self._access)

    @property
    def tiers(self) -> Tiers:
        """The places: which there are, what lies in them, whose they are."""
        return Tiers(self.engine)

    @property
    def policies(self) -> Policies:
        """What governs where artifacts lie."""
        return Policies(self.engine)

    @property
    def sweeps(self) -> Sweeps:
        """The periodic jobs: move what is due, delete what is ripe, check, compare, keep in order."""
        return Sweeps(self.engine)

    @property
    def runs(self) -> Runs:
        """What the sweeps did; what waits for an approval, and the approval."""
        return Runs(self.engine)

    @property
    def plans(self) -> Plans:
        """What a run would do; kept, and applied."""
        return Plans(self.engine)

    @property
    def parked(self) -> ParkedWork:
        """What is stuck: artifacts, and messages."""
        return ParkedWork(self.engine)

    @property
    def events(self) -> Events:
        """What happened."""
        return Events(self.engine)

    @property
    def deletes(self) -> Deletes:
        """The switch of physical deletes."""
        return Deletes(self.engine)

    @property
    def health(self) -> HealthChecks:
        """Whether the work gets done."""
        return HealthChecks(self.engine)

    @property
    def recovery(self) -> Recovery:
        """What is done about the catalog as a whole: dump, rebuild, examine, accept a restore."""
        return Recovery(self.engine)

    @property
    def deliveries(self) -> Deliveries:
        """What becomes of messages that do not end well at once."""
        return Deliveries(self.engine)
