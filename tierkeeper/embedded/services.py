"""The embedded services of one home: started on demand, shared by its processes, stopped by the last of them."""

import atexit
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tierkeeper.embedded.postgres import Postgres
from tierkeeper.embedded.process import private_folder, socket_folder
from tierkeeper.embedded.shared import Membership, locked
from tierkeeper.embedded.valkey import Valkey
from tierkeeper.settings.settings import Settings

REDIS = ("redis:", "rediss:", "redis+socket:")


@dataclass(frozen=True, slots=True)
class Urls:
    """The URLs of the embedded services; the broker is Valkey, also used for results."""

    catalog: str
    broker: str


class Use:
    """The services in use by this process until :meth:`close`; a context manager that yields the :class:`Urls`."""

    def __init__(self, urls: Urls, members: list[Membership]) -> None:
        self.urls = urls
        self._members = members

    def __enter__(self) -> Urls:
        return self.urls

    @property
    def members(self) -> Sequence[Membership]:
        """The memberships of this process, one of each service."""
        return self._members

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the services; the last user of each stops it. No effect a second time, or in a forked child."""
        with ExitStack() as leaving:  # sequential: no thread can be started at interpreter exit
            for member in self._members:
                leaving.callback(member.leave)


class Embedded:
    """The embedded services of ``home``, the folder with all their state; members of ``group`` may write to it."""

    def __init__(self, home: Path, *, group: str | None = None) -> None:
        self.home = home.expanduser().absolute()
        self._group = group

    def use(self, *, catalog: bool = True, broker: bool = True) -> Use:
        """Start the requested services in parallel unless they run, and register this process as their user.

        Raises EmbeddedUnavailable, where a wheel is missing before anything is made or started, and InvalidInput for a
        home that others can write.
        """
        for require, wanted in ((Postgres.require, catalog), (Valkey.require, broker)):
            if wanted:
                require()
        folder = private_folder(private_folder(self.home, group=self._group) / "run")
        with locked(folder / "lock"):
            sockets = socket_folder(folder)
        postgres = Postgres(self.home / "postgres", sockets, self.home / "postgres.log")
        valkey = Valkey(self.home / "valkey", sockets / "valkey.sock", self.home / "valkey.log")
        members = [
            Membership(server, private_folder(folder / name))
            for server, name, wanted in ((postgres, "postgres", catalog), (valkey, "valkey", broker))
            if wanted
        ]
        use = Use(Urls(catalog=postgres.url(), broker=valkey.url), members)
        try:
            _at_once([member.join for member in members])
        except BaseException:
            use.close()
            raise
        return use


@contextmanager
def using(settings: Settings) -> Iterator[tuple[Settings, Sequence[Membership]]]:
    """Start the services that ``settings`` have no URL for; release them at the end.

    Yields settings with all URLs, and the memberships of the services that were started.
    """
    use, resolved = _resolved(settings)
    try:
        yield resolved, [] if use is None else use.members
    finally:
        if use is not None:
            use.close()


def resolve(settings: Settings, *, catalog: bool = True) -> Settings:
    """Return ``settings`` with all URLs; the embedded services needed are in use until this process ends.

    ``catalog`` False: for a process that never opens the catalog, whose URL is left as it is. ``results.url`` stays
    None only where the broker is not Redis. Raises EmbeddedUnavailable.
    """
    use, resolved = _resolved(settings, catalog=catalog)
    if use is not None:
        atexit.register(use.close)
    return resolved


def _resolved(settings: Settings, *, catalog: bool = True) -> tuple[Use | None, Settings]:
    needed = {"catalog": catalog and settings.catalog.url is None, "broker": settings.broker.url is None}
    use = Embedded(settings.home, group=settings.home_group).use(**needed) if any(needed.values()) else None
    if use is not None:
        values = {f"{name}.url": getattr(use.urls, name) for name, wanted in needed.items() if wanted}
        settings = settings.replaced(values, source="embedded")
    broker = settings.broker.url
    if settings.results.url is None and broker is not None and broker.startswith(REDIS):
        settings = settings.replaced({"results.url": broker}, source="the broker")
    return use, settings


def _at_once(calls: Sequence[Callable[[], None]]) -> None:
    """Run all ``calls`` in threads; raise the first error once all have ended."""
    with ThreadPoolExecutor(max_workers=max(1, len(calls))) as pool:
        for result in [pool.submit(call) for call in calls]:
            result.result()
