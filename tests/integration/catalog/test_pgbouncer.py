"""The catalog behind a real PgBouncer, which lends out sessions by the connection or by the transaction."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from support import locking, poolers, services
from support.callers import TESTER
from support.house import houses
from support.ports import free_ports
from support.severed import Wire, severed_at_commit

from tierkeeper.base.errors import CatalogLimited, CatalogRefused
from tierkeeper.catalog import dumps, migrate
from tierkeeper.catalog.database import Database
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.settings.groups import CatalogSettings
from tierkeeper.settings.settings import Settings

LIMITS = {"statement_timeout": "7s", "lock_timeout": "3s", "idle_timeout": "5s"}
SHOWN = sa.text(
    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
    " current_setting('idle_in_transaction_session_timeout'), current_setting('timezone')"
)
MODES = ("session", "transaction")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server over TCP, as the pooler is another user, with an empty database for each mode."""
    with services.embedded_postgres(port=free_ports(1)[0]) as started:
        for mode in MODES:
            started.create_database(mode)
        yield started


@pytest.fixture(scope="module", params=MODES)
def pooler(request: pytest.FixtureRequest, server: Postgres) -> Iterator[str]:
    """A pooler's host and port, and the database of its mode."""
    with poolers.pgbouncer(server, mode=request.param) as at:
        yield f"{at}/{request.param}"


@pytest.fixture
def url(pooler: str) -> str:
    """A catalog behind the pooler, which makes it."""
    through = f"postgresql://postgres@{pooler}"
    migrate.upgrade(through)
    return through


@pytest.fixture
def catalog(url: str) -> Iterator[Database]:
    """Its connections: more than the sessions that are lent out by the transaction."""
    database = Database(CatalogSettings(url=url, pool_size=4, pool_overflow=0, **LIMITS))
    yield database
    database.close()


def shown(connection: sa.Connection) -> tuple[str, ...]:
    """What bounds a transaction, and its zone."""
    return tuple(connection.execute(SHOWN).one())


def test_a_life(url: str, settings_factory: Callable[..., Settings]) -> None:
    """Storing, moving, purging and collecting work, by more threads than the pooler has sessions; so do records."""

    def behind(**overrides: object) -> Settings:
        return settings_factory(**{**overrides, "catalog": {"url": url}})

    with houses(behind) as opener, ThreadPoolExecutor(4) as threads:
        house = opener()
        names = [f"a{number}" for number in range(8)]
        list(threads.map(lambda name: house.store(name, age=timedelta(days=8)), names))
        house.turn()
        assert {tier for name in names for tier in house.tiers(name)} == {"warm"}
        house.purge(names[0])
        house.days_pass(8)
        house.settle()
        records = house.keeper.engine.store("records")
        list(threads.map(lambda _: records.check_writes(), names))


def test_every_transaction_is_bounded(catalog: Database, url: str) -> None:
    """Each has the time-outs of the settings, in UTC; others to whom the pooler lends its sessions have none of it."""
    bounded = ("7s", "3s", "5s", "UTC")
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: catalog.run(TESTER, shown), range(8))) == {bounded}
    with catalog.reading() as connection:
        assert shown(connection) == bounded
    catalog.close()
    for _ in range(4):
        with psycopg.connect(url) as other:
            assert next(iter(other.execute(SHOWN.text)))[:3] == ("0", "0", "0")


def test_a_dump_is_of_after_its_lock(catalog: Database, pooler: str, server: Postgres) -> None:
    """A month that goes while a dump waits for its lock is in the dump's history: the snapshot comes after the lock."""
    database = pooler.partition("/")[2]

    def seen() -> int:
        with dumps.snapshot(catalog) as snapshot:
            return int(snapshot.connection.scalar(sa.text("SELECT count(*) FROM switches WHERE name = 'meanwhile'")))

    direct = sa.create_engine(
        sa.make_url(server.url(database)).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
    )
    with ThreadPoolExecutor(1) as thread, direct.connect() as holder, direct.connect() as onlooker:
        held = locking.Held(holder, onlooker)
        held.take("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        held.take("INSERT INTO switches (name, value, by, reason) VALUES ('meanwhile', 'true', 'tester', '')")
        dump = thread.submit(seen)
        held.wait_for(dump)
        held.release()
        assert dump.result() == 1
    with direct.begin() as other:
        other.exec_driver_sql("DELETE FROM switches WHERE name = 'meanwhile'")


def test_nothing_is_prepared(catalog: Database) -> None:
    """A statement that is sent again and again is not prepared in a session that the next transaction may not have."""

    def often(connection: sa.Connection) -> None:
        for number in range(8):
            connection.execute(sa.text("SELECT CAST(:number AS int)"), {"number": number})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: catalog.run(TESTER, often), range(8)))
    assert (
        catalog.run(
            TESTER, lambda connection: connection.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements"))
        )
        == 0
    )


def test_a_lost_commit_is_asked_for(catalog: Database) -> None:
    """A unit whose COMMIT took effect is not run again: another session of the pooler tells its outcome."""
    tries: list[int] = []

    def unit(connection: sa.Connection) -> int:
        connection.execute(sa.text("SELECT pg_current_xact_id()"))
        tries.append(1)
        return len(tries)

    with severed_at_commit(catalog, Wire.commit):
        assert catalog.run(TESTER, unit) == 1
    assert len(tries) == 1


def test_limits_of_the_role(pooler: str, server: Postgres) -> None:
    """Transactions have none that we did not set; what goes around them names the limit, and what to do."""
    at, _, mode = pooler.partition("/")
    name = f"limited_{mode}"
    server.create_database(name)
    through = f"postgresql://postgres@{at}/{name}"
    direct = sa.create_engine(sa.make_url(server.url(name)).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with direct.begin() as connection:
        command.upgrade(migrate._config(connection), "0011")
        connection.execute(sa.text(f"ALTER DATABASE {name} SET transaction_timeout = '300ms'"))
        connection.execute(sa.text(f"ALTER DATABASE {name} SET statement_timeout = '300ms'"))
        connection.execute(
            sa.text(
                "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql"
                " AS $$ BEGIN PERFORM pg_sleep(0.4); END $$"
            )
        )
        connection.execute(
            sa.text(
                "CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION slow()"
            )
        )
    with pytest.raises(CatalogLimited, match=r"(statement|transaction)_timeout.*server's own URL"):
        migrate.upgrade(through)
    with direct.begin() as connection:
        connection.execute(sa.text("DROP EVENT TRIGGER slow"))
    migrate.upgrade(through)
    catalog = Database(CatalogSettings(url=through, **LIMITS))
    try:
        slow = sa.text("SELECT pg_sleep(0.4), current_setting('transaction_timeout')")
        assert catalog.run(TESTER, lambda connection: connection.execute(slow).one()[1]) == "0"
    finally:
        catalog.close()


def test_options_are_refused_with_what_to_do(pooler: str, server: Postgres) -> None:
    """A pooler does not pass `options` on, and some say nothing: the catalog would be looked for in another schema."""
    through = f"postgresql://postgres@{pooler}?options=-csearch_path%3Dother"
    with pytest.raises(CatalogRefused, match=r"unsupported startup parameter: options.*ALTER ROLE … SET search_path"):
        migrate.upgrade(through)
    with poolers.pgbouncer(server, mode="transaction", more="ignore_startup_parameters = options") as silent:
        quiet = through.replace(pooler.partition("/")[0], silent)
        with pytest.raises(CatalogRefused, match=r"does not pass on the URL's options.*ALTER ROLE … SET search_path"):
            migrate.upgrade(quiet)
        database = Database(CatalogSettings(url=quiet))
        with pytest.raises(CatalogRefused, match="does not pass on"), database.reading() as connection:
            shown(connection)
        database.close()
    with pytest.raises(CatalogRefused, match="Create it"):
        migrate.upgrade(f"postgresql://postgres@{pooler.partition('/')[0]}/no_such_database")
