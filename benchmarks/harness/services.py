"""The services on which the figures are measured: PostgreSQL, Valkey and a real S3 server, started by this module.

PostgreSQL and Valkey are the embedded ones with their own settings (every commit is synced to disk); the S3 server is
the one of ``make test-s3``.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg

from benchmarks.harness.bare import REGION, Access
from benchmarks.harness.machine import adopt_orphans
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.embedded.valkey import Valkey
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings, load

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from s3server import server as s3server
from support import processes
from support.ports import free_ports
from support.proxy import in_front_of
from support.servers import started

from tierkeeper.base import callers

NO_TIME = timedelta()
TUNING = (
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
)

start_logged = processes.start_logged  # for the programs of figures


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a private folder with a path short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="tkb-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def postgres(place: Path) -> AbstractContextManager[Postgres]:
    """Start a PostgreSQL server with its usual durability, for a block."""
    adopt_orphans()  # it makes itself a daemon
    return started(Postgres(place / "pg" / "data", place / "pg", place / "pg.log", options=TUNING))


def valkey(place: Path) -> AbstractContextManager[Valkey]:
    """Start a Valkey server, for a block."""
    adopt_orphans()  # as above
    return started(Valkey(place / "vk", place / "vk.sock", place / "vk.log"))


@contextmanager
def s3(place: Path) -> Iterator[Access]:
    """Start a real, empty S3 server and yield the access to it."""
    server = s3server.start(log=place / "s3.log", end_with_us=True)
    try:
        yield Access(server.endpoint, s3server.ACCESS_KEY, s3server.SECRET_KEY)
    finally:
        server.stop()


@contextmanager
def delayed(access: Access, seconds: float) -> Iterator[Access]:
    """Yield the access to the same server through a proxy that hands each request on after ``seconds``."""
    host, _, port = access.host.partition(":")
    with in_front_of((host, int(port))) as proxy:
        proxy.to_server.delay = seconds
        yield replace(access, endpoint=f"http://127.0.0.1:{proxy.port}")


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    return free_ports(1)[0]


def tier(access: Access, bucket: str, **options: str) -> str:
    """Return the URL of a tier in a bucket."""
    given = {
        "endpoint": access.endpoint,
        "region": REGION,
        "access_key": access.access_key,
        "secret_key": access.secret_key,
        **options,
    }
    return f"s3://{bucket}?{urlencode(given)}"


def environment(place: Path, *, catalog: str, tiers: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return the settings of one of our processes as its environment, to which only PATH and HOME are added.

    Each catalog has a home of its own, because the tiers below it are marked.
    """
    return {
        "TIERKEEPER_HOME": str(place / f"home-{urlsplit(catalog).path.strip('/')}"),
        "TIERKEEPER_CATALOG__URL": catalog,
        "TIERKEEPER_BROKER__URL": "redis://127.0.0.1:1/0",  # for figures that use no queue
        **{f"TIERKEEPER_TIERS__{name.upper()}__URL": url for name, url in tiers.items()},
        **more,
    }


def queue(broker: str) -> dict[str, str]:
    """Return the settings of our processes that work through this broker; they log only what is wrong."""
    return {"TIERKEEPER_BROKER__URL": broker, "TIERKEEPER_LOG__LEVEL": "warning"}


@dataclass(frozen=True, slots=True)
class Environments:
    """Makes environments for processes on a catalog, for figures in which tiers do not matter."""

    place: Path

    def __call__(self, catalog: str) -> dict[str, str]:
        """Return the environment for the catalog at this URL."""
        return environment(self.place, catalog=catalog, tiers={}, TIERKEEPER_ENGINE__LEASE="10m")


def settings(env: Mapping[str, str]) -> Settings:
    """Return the settings loaded from such an environment."""
    return load(environ=env)


def init(env: Mapping[str, str]) -> None:
    """Make the catalog and mark the tiers of such an environment."""
    with Keeper.open(settings(env)) as keeper:
        keeper.init(caller=callers.INIT)


@dataclass(slots=True)
class Databases:
    """Fresh, empty databases, one at a time."""

    server: Postgres
    _number: int = 0
    _current: str | None = None

    def fresh(self) -> str:
        """Create a database and return its URL; the previous one is dropped."""
        self.drop()
        self._number += 1
        self._current = f"bench_{self._number}"
        self.server.create_database(self._current)
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # so that earlier writes do not slow down the next measurement
        return self.server.url(self._current)

    def drop(self) -> None:
        """Drop the current database."""
        if self._current is not None:
            with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {self._current} WITH (FORCE)")
            self._current = None
