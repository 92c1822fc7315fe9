"""Scenario 6: the catalog's server dies around COMMIT, loses connections, refuses to write, has none left.

The server here keeps what it has acknowledged when a process of it dies (``synchronous_commit`` is on), as a real one.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from faults import life
from support import services
from support.callers import TESTER
from support.house import LEASES_END, House, houses
from support.ports import free_ports
from support.proxy import FaultProxy, in_front_of
from support.scale import Scale

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogUnavailable
from tierkeeper.catalog import migrate
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.settings.settings import Settings, load

KEPT = (("fsync", "off"), ("restart_after_crash", "on"))  # no power cut is tried here
TRIES = 40  # of a delivery, a moment apart


@dataclass(frozen=True, slots=True)
class Clinic:
    """A catalog's server of the test's own, and a house that reaches it through a proxy."""

    server: Postgres
    proxy: FaultProxy
    house: House
    database: str

    def surgery(self) -> psycopg.Connection:
        """Return a connection past the proxy, for what is done to the server."""
        return psycopg.connect(self.server.url("postgres"), autocommit=True)

    def backends(self) -> list[int]:
        """Return the processes that serve the house."""
        with self.surgery() as connection:
            rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [self.database])
            return [row[0] for row in rows]

    def terminate(self) -> None:
        """End the house's connections, as an administrator does."""
        with self.surgery() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.database]
            )

    def kill_backend(self) -> None:
        """Kill a process that serves the house: the server ends all of them and recovers."""
        for pid in self.backends()[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """End the server at once, without a checkpoint, and start it again."""
        pid = int((self.server.data / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGQUIT)
        until = time.monotonic() + 20
        while (self.server.data / "postmaster.pid").exists() and time.monotonic() < until:
            time.sleep(0.02)
        self.server.start()

    def well(self) -> None:
        """Wait until the server answers again."""
        until = time.monotonic() + 30
        while True:
            try:
                self.surgery().close()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server over TCP, with a migrated catalog to copy."""
    with services.short_folder() as folder:
        postgres = Postgres(folder / "data", folder, folder / "log", port=free_ports(1)[0], options=KEPT)
        postgres.start()
        try:
            postgres.create_database(services.TEMPLATE)
            migrate.upgrade(postgres.url(services.TEMPLATE))
            yield postgres
        finally:
            postgres.stop()


@pytest.fixture
def clinic(request: pytest.FixtureRequest, server: Postgres, tmp_path: Path) -> Iterator[Clinic]:
    """A house on that server; a test may give settings of its catalog."""
    name = f"clinic_{uuid4().hex}"
    more = getattr(request, "param", {})
    server.create_database(name, template=services.TEMPLATE)

    def settings(**overrides: object) -> Settings:
        own = {
            "home": tmp_path / "home",
            "catalog": {"url": f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}", "timeout": "2s", **more},
            "broker": {"url": "redis://127.0.0.1:1/0"},
        }
        return load(environ={}, **{**own, **overrides})  # type: ignore[arg-type]  # nested as in a file

    assert server.port is not None
    quick, cas = {"options": {"fsync": "no"}}, {"options": {"fsync": "no", "layout": "cas"}}
    with in_front_of(("127.0.0.1", server.port)) as proxy, houses(settings) as open_house:
        house = open_house(tiers={"hot": quick, "warm": cas, "cold": cas})
        house.policy(life.POLICY)
        yield Clinic(server, proxy, house, name)
        proxy.heal()


def live(house: House, tag: str) -> int:
    """Live a life; each part is delivered until the catalog answers. Returns how often it did not."""
    failed = 0
    for part in life.parts(house, tag):
        for _ in range(TRIES):
            try:
                life.perform(house, part)
            except CatalogUnavailable:
                failed += 1
                time.sleep(0.1)
            else:
                break
        else:
            pytest.fail(f"the catalog did not answer {TRIES} times")
    return failed


def settle(clinic: Clinic) -> None:
    """The faults are over, leases end, sweeps go on: nothing is left to do, and every invariant holds."""
    clinic.proxy.heal()
    clinic.well()
    for _ in range(TRIES):  # connections of before are still in the pool
        with contextlib.suppress(CatalogUnavailable, sa.exc.DBAPIError):
            clinic.house.pass_time(LEASES_END)
            break
    clinic.house.settle()
    clinic.house.pass_time(LEASES_END)
    clinic.house.settle()


@contextlib.contextmanager
def at_commit(house: House, number: int, act: Callable[[], object], *, effect: bool) -> Iterator[list[int]]:
    """Do ``act`` at the given COMMIT of the house: before it is sent, or after its effect (``effect``).

    Yields how many COMMITs there were.
    """
    seen = [0]
    engine = house.keeper.engine.catalog.engine

    def on_commit(connection: sa.Connection) -> None:
        seen[0] += 1
        if seen[0] == number:
            driver = connection.connection.driver_connection
            assert driver is not None
            if effect:
                driver.commit()
            act()

    sa.event.listen(engine, "commit", on_commit)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "commit", on_commit)


COMMITS = 30  # a life has more
ILLS: dict[str, Callable[[Clinic], None]] = {
    "terminated": Clinic.terminate,
    "killed": Clinic.kill_backend,
    "restarted": Clinic.restart,
    "reset": lambda clinic: clinic.proxy.reset(),
}


def test_server_dies_around_commit(clinic: Clinic, scale: Scale, chance: random.Random) -> None:
    """Whether the server dies before a COMMIT or after its effect: what was answered stands, nothing is done twice."""
    ills = list(ILLS) * scale(short=0, long=2) or chance.sample(sorted(ILLS), 2)
    for number, ill in enumerate(ills):
        tag = f"{ill}-{number}"
        commit, effect = chance.randint(1, COMMITS), chance.random() < 0.5
        with at_commit(clinic.house, commit, lambda ill=ill: ILLS[ill](clinic), effect=effect) as seen:  # type: ignore[misc]  # early binding
            live(clinic.house, tag)
        assert seen[0] >= commit
        settle(clinic)
        life.check(clinic.house, tag)


@pytest.mark.parametrize("clinic", [{"statement_timeout": "1s", "lock_timeout": "1s"}], indirect=True)
def test_reply_of_commit_never_comes(clinic: Clinic, scale: Scale, chance: random.Random) -> None:
    """The reply of a COMMIT is lost in a reset or in silence: its unit finds out what it did."""
    for number in range(scale(short=1, long=2)):
        silent = number % 2 == 1  # eleven seconds each
        tag = f"lost-{number}"
        commit = chance.randint(1, COMMITS)
        before = clinic.proxy.accepted
        lose = partial(clinic.proxy.spoil, b"COMMIT", silent=silent)
        with at_commit(clinic.house, commit, lose, effect=False):
            live(clinic.house, tag)
        assert [trigger.hit for trigger in clinic.proxy.triggers] == [1]
        assert clinic.proxy.accepted > before
        settle(clinic)
        life.check(clinic.house, tag)


def test_storm_over_the_server(clinic: Clinic, scale: Scale, chance: random.Random) -> None:
    """Many lives at once while the server dies again and again, in every way: each has the effect of one life."""
    number, blows = scale(short=6, long=40), scale(short=3, long=20)

    def storm() -> None:
        for _ in range(blows):
            time.sleep(chance.uniform(0.1, 0.6))
            with contextlib.suppress(psycopg.OperationalError):  # it is down already
                ILLS[chance.choice(list(ILLS))](clinic)

    with ThreadPoolExecutor(5) as pool:
        blowing = pool.submit(storm)
        lives = [pool.submit(live, clinic.house, f"life-{i}") for i in range(number)]
        blowing.result()
        for each in lives:
            each.result()
    settle(clinic)
    for i in range(number):
        life.check(clinic.house, f"life-{i}")
    assert clinic.house.sql("SELECT count(*) FROM artifacts")[0][0] == 3 * number


def test_catalog_is_read_only(clinic: Clinic) -> None:
    """A server that only reads (a standby, a disk that is nearly full) is a typed error; reading goes on."""
    house = clinic.house
    house.store("a", b"content", age=timedelta(days=8))
    with clinic.surgery() as surgeon:
        surgeon.execute(f"ALTER DATABASE {clinic.database} SET default_transaction_read_only = on")
        clinic.terminate()
        args = house.args("b", b"other")
        caller = Caller("tester", key="once")
        for act in (lambda: house.keeper.artifacts.store(args, caller=caller), house.turn):
            with pytest.raises(CatalogUnavailable, match="read-only"):
                act()
        assert house.read("a") == b"content"
        surgeon.execute(f"ALTER DATABASE {clinic.database} RESET default_transaction_read_only")
        clinic.terminate()
    assert house.keeper.artifacts.store(args, caller=caller).ref.version == 1
    settle(clinic)
    assert house.tiers("a") == {"warm"}
    assert house.show("b").ref.version == 1


@pytest.mark.parametrize("clinic", [{"pool_size": 1, "pool_overflow": 0, "timeout": "1s"}], indirect=True)
def test_pool_is_exhausted(clinic: Clinic, scale: Scale) -> None:
    """With one connection for many threads each gets it in turn or a typed error in a second, and none waits for ever.

    Nothing needs two connections at once.
    """
    house, number = clinic.house, scale(short=8, long=16)
    with ThreadPoolExecutor(number) as pool:
        lives = [pool.submit(live, house, f"life-{i}") for i in range(number)]
        for each in lives:
            each.result()
    settle(clinic)
    for i in range(number):
        life.check(house, f"life-{i}")
    assert (
        house.keeper.sweeps.verify(caller=TESTER).counts["verified"]
        == house.sql("SELECT count(*) FROM placements")[0][0]
    )
    with house.keeper.engine.catalog.reading(), pytest.raises(CatalogUnavailable, match="in use"):
        house.show("life-0/b")


def test_server_takes_no_more_connections(clinic: Clinic) -> None:
    """A server that refuses connections is a typed error at once, and all goes on when it takes them again."""
    house = clinic.house
    house.store("a", b"content", age=timedelta(days=8))
    with clinic.surgery() as surgeon:
        surgeon.execute(f"ALTER DATABASE {clinic.database} ALLOW_CONNECTIONS false")
        clinic.terminate()
        with pytest.raises(CatalogUnavailable):
            house.store("b", b"other")
        with pytest.raises(CatalogUnavailable):
            house.turn()
        surgeon.execute(f"ALTER DATABASE {clinic.database} ALLOW_CONNECTIONS true")
    settle(clinic)
    assert house.tiers("a") == {"warm"}
