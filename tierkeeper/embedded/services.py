"""The embedded services of one home: on demand, shared by all processes that use the home, stopped by the last."""

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
    """Where the embedded services answer; the broker is Valkey, good for results too."""

    catalog: str
    broker: str


class Use:
    """The services in use by this process until :meth:`close`; a context manager that gives the :class:`Urls`."""

    def __init__(self, urls: Urls, members: list[Membership]) -> None:
        self.urls = urls
        self._members = members

    def __enter__(self) -> Urls:
        return self.urls

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the services back; the last user of each stops it. Again, or in a forked child: nothing happens."""
        with ExitStack() as leaving:  # one after the other: at interpreter exit no thread can be started
            for member in self._members:
                leaving.callback(member.leave)


class Embedded:
    """The embedded services of ``home``, in which all their state lies."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()

    def use(self, *, catalog: bool = True, broker: bool = True) -> Use:
        """Start the services asked for, at once, if they do not run, and count this process among their users.

        Raises :class:`EmbeddedUnavailable`.
        """
        folder = private_folder(private_folder(self.home) / "run")
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
def using(settings: Settings) -> Iterator[Settings]:
    """Start what ``settings`` leave to the embedded services; give the settings with all URLs; at the end give back."""
    use, resolved = _resolved(settings)
    try:
        yield resolved
    finally:
        if use is not None:
            use.close()


def resolve(settings: Settings, *, catalog: bool = True) -> Settings:
    """Return ``settings`` with all URLs; embedded services that are needed run until this process ends.

    ``catalog`` False is for processes that never open it: its URL stays as it is. ``results.url`` stays None only
    where the broker is not Redis. Raises :class:`EmbeddedUnavailable`.
    """
    use, resolved = _resolved(settings, catalog=catalog)
    if use is not None:
        atexit.register(use.close)
    return resolved


def _resolved(settings: Settings, *, catalog: bool = True) -> tuple[Use | None, Settings]:
    needed = {"catalog": catalog and settings.catalog.url is None, "broker": settings.broker.url is None}
    use = Embedded(settings.home).use(**needed) if any(needed.values()) else None
    if use is not None:
        values = {f"{name}.url": getattr(use.urls, name) for name, wanted in needed.items() if wanted}
        settings = settings.replaced(values, source="embedded")
    broker = settings.broker.url
    if settings.results.url is None and broker is not None and broker.startswith(REDIS):
        settings = settings.replaced({"results.url": broker}, source="the broker")
    return use, settings


def _at_once(calls: Sequence[Callable[[], None]]) -> None:
    """Make all ``calls`` in threads; raise the first error when all have ended."""
    with ThreadPoolExecutor(max_workers=max(1, len(calls))) as pool:
        for result in [pool.submit(call) for call in calls]:
            result.result()
