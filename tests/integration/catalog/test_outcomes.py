"""A COMMIT whose reply is lost: PostgreSQL is asked for the outcome, and the unit is not run twice."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from support import services
from support.callers import TESTER
from support.house import House
from support.servers import started
from support.severed import Wire, severed_at_commit, unbelieved

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogUnavailable
from tierkeeper.base.states import RunKind
from tierkeeper.catalog import migrate, outcomes, runs, schedule
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.outcomes import OpenTransaction, ServerLifetime, TransactionStatus
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.settings.groups import CatalogSettings


class Counting:
    """A unit that is not idempotent: it adds one to a run's counts, and knows how often it was run."""

    def __init__(self, catalog: Database) -> None:
        self.tries = 0
        self.run = catalog.run(TESTER, runs.begin, RunKind.VERIFY, actor="tester")

    def __call__(self, connection: sa.Connection) -> str:
        """Add one."""
        self.tries += 1
        runs.add(connection, self.run, counts={"verified": 1})
        return f"try {self.tries}"


@pytest.fixture
def catalog(house: House) -> Database:
    """The house's catalog."""
    return house.keeper.engine.catalog


@pytest.fixture
def counting(catalog: Database) -> Counting:
    """The unit, with a run to count in."""
    return Counting(catalog)


def verified(house: House, counting: Counting) -> int:
    """Return what the unit's run has counted."""
    counted: int = house.keeper.runs.get(counting.run).counts.get("verified", 0)
    return counted


def test_counts_are_added_once(house: House, catalog: Database, counting: Counting) -> None:
    """A batch's counts whose COMMIT took effect are not added again, and the first run's result is returned."""
    with severed_at_commit(catalog, Wire.commit):
        assert catalog.run(TESTER, counting) == "try 1"
    assert (counting.tries, verified(house, counting)) == (1, 1)


def test_no_ghost_run_is_begun(house: House, catalog: Database) -> None:
    """A rotate whose COMMIT took effect returns its run: it is not blocked by a run that only it can have begun."""
    house.store("b", age=timedelta(days=8))
    with severed_at_commit(catalog, Wire.commit):
        run = house.keeper.sweeps.rotate(caller=callers.BEAT)
    begun = [view.id for view in house.keeper.runs.latest(kind=RunKind.ROTATE)]
    assert begun == [run]


def test_a_run_is_begun_once(house: House, catalog: Database) -> None:
    """A sweep's run whose COMMIT took effect has one row, not one for each try."""
    with severed_at_commit(catalog, Wire.commit):
        run = catalog.run(TESTER, runs.begin, RunKind.VERIFY, actor="tester")
    assert [view.id for view in house.keeper.runs.latest(kind=RunKind.VERIFY)] == [run]


def test_what_was_rolled_back_is_run_again(house: House, catalog: Database, counting: Counting) -> None:
    """A unit whose COMMIT never arrived is run again, once."""
    with severed_at_commit(catalog, Wire.end):
        assert catalog.run(TESTER, counting) == "try 2"
    assert (counting.tries, verified(house, counting)) == (2, 1)


def test_a_transaction_in_progress_is_waited_for(house: House, catalog: Database, counting: Counting) -> None:
    """A COMMIT that is still being carried out is no reason to run the unit beside it."""
    with severed_at_commit(catalog, lambda wire: threading.Timer(0.7, wire.commit).start()):
        assert catalog.run(TESTER, counting) == "try 1"
    assert (counting.tries, verified(house, counting)) == (1, 1)


def test_a_transaction_that_ends_late_is_run_again(house: House, catalog: Database, counting: Counting) -> None:
    """A transaction that was in progress and is rolled back in the end has its unit run again."""
    with severed_at_commit(catalog, lambda wire: threading.Timer(0.7, wire.end).start()):
        assert catalog.run(TESTER, counting) == "try 2"
    assert (counting.tries, verified(house, counting)) == (2, 1)


def test_a_transaction_that_stays_in_progress_is_no_answer(
    house: House, catalog: Database, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A COMMIT that is in progress for too long is CatalogUnavailable: the unit is not run beside it."""
    monkeypatch.setattr("tierkeeper.catalog.database._ASKING_SECONDS", 0.5)
    with (
        severed_at_commit(catalog, lambda _wire: None) as wires,
        pytest.raises(CatalogUnavailable, match="in progress"),
    ):
        catalog.run(TESTER, counting)
    assert counting.tries == 1
    assert len(wires) == 1
    assert verified(house, counting) == 0


def test_a_checkpoint_since_is_not_believed(house: House, catalog: Database, counting: Counting) -> None:
    """A checkpoint may have ended a recovery, after which ids are given out again: the unit is run again, as before."""
    with severed_at_commit(catalog, partial(unbelieved, house)):
        assert catalog.run(TESTER, counting) == "try 2"
    assert verified(house, counting) == 2


@pytest.mark.parametrize("attempts", [0, 1, 2])
def test_a_claim_that_runs_again_finds_its_leases(house: House, catalog: Database, attempts: int) -> None:
    """What an unanswered claim leased is what its next run returns: it waits for no lease's end, and counts once."""
    for name in "bc":
        house.store(name, age=timedelta(days=8))
    house.sql("UPDATE schedule SET attempts = :attempts", attempts=attempts)
    first, second = uuid4(), uuid4()

    def due(connection: sa.Connection) -> list[schedule.Claimed]:
        now = catalog_now(connection)
        return schedule.claim(connection, token=first, now=now, lease_seconds=60, limit=1, tenant=None)

    def these(connection: sa.Connection) -> list[schedule.Claimed]:
        now = catalog_now(connection)
        return schedule.claim_these(connection, [house.show("c").id], token=second, now=now, lease_seconds=60)

    for unit, name in ((due, "b"), (these, "c")):
        with severed_at_commit(catalog, partial(unbelieved, house)) as wires:
            (claimed,) = catalog.run(TESTER, unit)
        assert (claimed.artifact, claimed.attempts, len(wires)) == (house.show(name).id, attempts + 1, 1)
    leased = house.sql("SELECT attempts FROM schedule WHERE lease_token IS NOT NULL")
    assert [row.attempts for row in leased] == [attempts + 1] * 2


def superuser(house: House) -> psycopg.Connection:
    """Return a connection past the keeper's."""
    url = house.settings.catalog.url
    assert url is not None
    return psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:"), autocommit=True)


def ended(catalog: Database) -> OpenTransaction:
    """Return a transaction that was committed."""
    with catalog.engine.connect() as connection, connection.begin():
        begun = outcomes.begin(connection)
    assert begun is not None
    return begun


def asked(catalog: Database, transaction: OpenTransaction) -> TransactionStatus:
    """Ask for a transaction's outcome."""
    with catalog.reading() as connection:
        return outcomes.status(connection, transaction)


def elsewhere(begun: OpenTransaction, *, cluster: str | None = None, earlier: float = 0) -> OpenTransaction:
    """Return the transaction as of another cluster, or as of a server that was started so many seconds earlier."""
    started = float(begun.lifetime.started) - earlier if earlier else begun.lifetime.started
    return replace(begun, lifetime=ServerLifetime(cluster or begun.lifetime.cluster, str(started)))


DOUBTS: dict[str, Callable[[OpenTransaction], OpenTransaction]] = {
    "another server": lambda begun: elsewhere(begun, cluster=f"1{begun.lifetime.cluster}"),
    "another timeline": lambda begun: elsewhere(begun, cluster=f"{begun.lifetime.cluster}1"),
    "started again": lambda begun: elsewhere(begun, earlier=1),
    "an older copy": lambda begun: replace(begun, flushed="FFFFFF/0"),
    "an id to come": lambda begun: replace(begun, xid=str(int(begun.xid) + 1_000_000)),
    "an id long gone": lambda begun: replace(begun, xid="0"),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_another_server_is_not_believed(catalog: Database, doubt: str) -> None:
    """What a server says of an id that another one, or an earlier state of it, has given out is no outcome."""
    begun = ended(catalog)
    assert asked(catalog, begun) is TransactionStatus.COMMITTED
    assert asked(catalog, DOUBTS[doubt](begun)) is TransactionStatus.UNKNOWN


def test_an_id_that_was_given_again_is_not_believed(tmp_path: Path) -> None:
    """After a crash that lost the transaction, PostgreSQL calls another one with its id committed: no outcome."""
    options = (*services.FAST, ("wal_writer_delay", "10s"), ("restart_after_crash", "on"))
    with (
        services.short_folder() as folder,
        started(Postgres(folder / "data", folder, tmp_path / "log", options=options)) as server,
    ):
        migrate.upgrade(server.url("postgres"))
        catalog = Database(CatalogSettings(url=server.url("postgres")))
        try:
            begun = ended(catalog)
            with psycopg.connect(server.url("postgres")) as victim:
                os.kill(victim.info.backend_pid, signal.SIGKILL)
            status = retaken(server.url("postgres"), begun.xid)
            assert status == "committed"
            assert asked(catalog, begun) is TransactionStatus.UNKNOWN
        finally:
            catalog.close()


def retaken(url: str, xid: str) -> str:
    """Commit transactions on a server that recovers until it gave out this id; return what it says of it."""
    until = time.monotonic() + 30
    while True:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                while int(connection.execute("SELECT pg_current_xact_id()").fetchone()[0]) < int(xid):  # type: ignore[index]  # a row
                    pass
                return str(connection.execute("SELECT pg_xact_status(%s::xid8)", [xid]).fetchone()[0])  # type: ignore[index]  # a row
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.05)


HIDDEN = [
    "pg_current_xact_id()",
    "pg_control_system()",
    "pg_control_checkpoint()",
    "pg_postmaster_start_time()",
    "pg_current_wal_insert_lsn()",
    "pg_current_wal_flush_lsn()",
    "pg_xact_status(xid8)",
]


@pytest.mark.parametrize("function", HIDDEN)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
def test_a_server_that_hides_is_not_believed(house: House, database_url: str, function: str, *, later: bool) -> None:
    """Where a question is forbidden, writes go on, and a lost reply has its unit run again, as before."""
    with superuser(house) as admin:
        admin.execute("CREATE ROLE modest LOGIN")
        admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO modest")
        forbid = f"REVOKE EXECUTE ON FUNCTION pg_catalog.{function} FROM PUBLIC"
        try:
            modest = as_modest(database_url)
            if later:
                modest.run(TESTER, runs.begin, RunKind.VERIFY, actor="tester")
            else:
                admin.execute(forbid)
                with modest.engine.connect() as connection:
                    assert outcomes.begin(connection) is None  # no ids are asked for, so none are spent
            admin.execute(forbid)
            counting = Counting(modest)
            with severed_at_commit(modest, Wire.commit):
                assert modest.run(TESTER, counting) == "try 2"
            assert verified(house, counting) == 2
        finally:
            modest.close()
            admin.execute("DROP OWNED BY modest")
            admin.execute("DROP ROLE modest")


def test_one_slow_begin_costs_no_protection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A BEGIN that the server cancels is an error of its run; the connection is asked for ids all the same."""
    settings = CatalogSettings(
        url=database_url,
        pool_size=1,
        pool_overflow=0,
        statement_timeout=timedelta(seconds=1),
    )
    database = Database(settings)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(outcomes, "_BEGIN_AND_TELL", outcomes._BEGIN_AND_TELL + b"; SELECT pg_sleep(3)")
            with pytest.raises(CatalogUnavailable, match="statement timeout"):
                database.run(TESTER, runs.begin, RunKind.VERIFY, actor="tester")
        with database.engine.connect() as connection:
            assert outcomes.begin(connection) is not None
    finally:
        database.close()


def as_modest(database_url: str) -> Database:
    """Return the catalog as a role that is no superuser sees it."""
    url = sa.make_url(database_url).set(username="modest").render_as_string(hide_password=False)
    return Database(CatalogSettings(url=url, pool_size=1, pool_overflow=0))


def test_the_id_costs_no_round_trip(house: House, tmp_path: Path) -> None:
    """A run of one statement is answered four times, as without the id: to the ping, BEGIN, the statement, COMMIT."""
    single = Database(house.settings.catalog.model_copy(update={"pool_size": 1, "pool_overflow": 0}))
    counting = Counting(single)
    try:
        with (tmp_path / "trace").open("wb") as file:
            with single.engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, psycopg.Connection)
                driver.pgconn.trace(file.fileno())
            single.run(TESTER, counting)
            driver.pgconn.untrace()
    finally:
        single.close()
    assert (tmp_path / "trace").read_text().count("ReadyForQuery") == 4
