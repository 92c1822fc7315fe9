"""Transactions on the catalog: run again after a deadlock or a lost connection, with one clock."""

import gc
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta
from typing import LiteralString
from uuid import NAMESPACE_URL, uuid4, uuid5

import psycopg
import pytest
import sqlalchemy as sa
from support import services
from support.callers import TESTER
from support.house import House
from support.ports import free_ports
from support.proxy import in_front_of

from tierkeeper.base.errors import CatalogUnavailable
from tierkeeper.catalog.database import Database, catalog_now, take_time
from tierkeeper.catalog.statements import anew, typed
from tierkeeper.keeper import Keeper
from tierkeeper.settings.groups import CatalogSettings

_WRITING = sa.text("INSERT INTO tenants (id, scope) VALUES ('rehearsed', 'rehearsed')")


def test_a_deadlock_is_run_again(house: House) -> None:
    """Two transactions that lock in opposite orders both succeed in the end."""
    house.store("b", b"second")
    ids = [house.show("a").id, house.show("b").id]
    both_have_one = threading.Barrier(2)
    tries: list[int] = []

    def crossing(order: list[object]) -> None:
        def unit(connection: sa.Connection) -> None:
            tries.append(1)
            for index, artifact in enumerate(order):
                connection.execute(sa.text("SELECT id FROM artifacts WHERE id = :id FOR UPDATE"), {"id": artifact})
                if index == 0 and len(tries) <= 2:
                    both_have_one.wait()

        house.keeper.engine.catalog.run(TESTER, unit)

    threads = [threading.Thread(target=crossing, args=(order,)) for order in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(tries) == 3


def test_a_killed_connection_is_run_again(house: House) -> None:
    """A unit whose connection was killed under it is run again on a new one."""
    tries: list[int] = []

    def unit(connection: sa.Connection) -> int:
        tries.append(1)
        if len(tries) == 1:
            (pid,) = connection.execute(sa.text("SELECT pg_backend_pid()")).scalars()
            house.sql("SELECT pg_terminate_backend(:pid)", pid=pid)
        return int(connection.execute(sa.text("SELECT 42")).scalar_one())

    assert house.keeper.engine.catalog.run(TESTER, unit) == 42
    assert len(tries) == 2


def test_a_copy_that_the_server_ends(house: House) -> None:
    """What the driver itself raises, as during a dump's COPY, is CatalogUnavailable too."""

    def copied(connection: sa.Connection) -> None:
        connection.execute(sa.text("SET statement_timeout = '100ms'"))
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor, cursor.copy("COPY (SELECT pg_sleep(5)) TO STDOUT") as rows:
            list(rows)

    catalog = house.keeper.engine.catalog
    with pytest.raises(CatalogUnavailable, match="statement timeout"):
        catalog.run(TESTER, copied)
    with pytest.raises(CatalogUnavailable, match="statement timeout"), catalog.reading() as connection:
        copied(connection)


def test_a_reader_is_in_a_transaction(house: House) -> None:
    """It has begun, also without a pooler, which needs that: who begins one in it fails here already."""
    with house.keeper.engine.catalog.reading() as connection:
        assert connection.in_transaction()
        with pytest.raises(sa.exc.InvalidRequestError, match="already"):
            connection.begin()


def test_a_snapshot_is_one_moment(house: House) -> None:
    """It sees one moment; the next user of its connection does not, and may write."""
    catalog = house.keeper.engine.catalog
    shown = sa.text("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
    for snapshot, isolation in ((True, "repeatable read"), (False, "read committed")):
        with catalog.reading(snapshot=snapshot) as connection:
            assert tuple(connection.execute(shown).one()) == (isolation, "on")
    assert tuple(catalog.run(TESTER, lambda connection: connection.execute(shown).one())) == ("read committed", "off")


def test_a_reader_cannot_write(house: House) -> None:
    """A reader's end commits, so PostgreSQL refuses what it would write."""
    with (
        pytest.raises(CatalogUnavailable, match="read-only transaction"),
        house.keeper.engine.catalog.reading() as connection,
    ):
        connection.execute(_WRITING)


def test_a_rehearsal_leaves_nothing(house: House) -> None:
    """What was written in it is undone."""
    catalog = house.keeper.engine.catalog
    with catalog.rehearsing() as connection:
        assert connection.execute(_WRITING).rowcount == 1
    with catalog.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM tenants WHERE id = 'rehearsed'")).scalar_one() == 0


def test_what_is_read_again_is_prepared(house: House) -> None:
    """A statement that readers send again and again is planned once for a connection."""
    catalog = house.keeper.engine.catalog
    for _ in range(12):
        with catalog.reading() as connection:
            connection.execute(sa.text("SELECT 'again and again'"))
    with catalog.reading() as connection:
        prepared = connection.execute(sa.text("SELECT statement FROM pg_prepared_statements")).scalars().all()
    assert "SELECT 'again and again'" in prepared


def test_what_depends_on_its_values_is_not_prepared(house: House) -> None:
    """A statement that is to be planned anew is, however often it is sent."""
    catalog = house.keeper.engine.catalog
    again = anew(sa.text("SELECT 'planned anew'"))
    for _ in range(12):
        with catalog.reading() as connection:
            connection.execute(again)
    with catalog.reading() as connection:
        prepared = connection.execute(sa.text("SELECT statement FROM pg_prepared_statements")).scalars().all()
    assert "SELECT 'planned anew'" not in prepared


def test_what_takes_time_is_not_prepared(house: House) -> None:
    """A job that may scan leaves no plan that scans: neither its own, nor one of what follows on its connection."""
    catalog = house.keeper.engine.catalog
    again = sa.text("SELECT 'of a job'")
    with catalog.reading() as connection:
        take_time(connection)
        for _ in range(12):
            connection.execute(again)
        shown = sa.text("SELECT current_setting('enable_seqscan')")
        assert connection.execute(shown).scalar_one() == "on"
        prepared = sa.text("SELECT statement FROM pg_prepared_statements")
        assert "SELECT 'of a job'" not in connection.execute(prepared).scalars().all()
    with catalog.reading() as connection:
        shown = sa.text("SELECT current_setting('enable_seqscan') || current_setting('jit')")
        assert connection.execute(shown).scalar_one() == "offoff"
        for _ in range(12):
            connection.execute(again)
        assert "SELECT 'of a job'" in connection.execute(prepared).scalars().all()


def test_a_plan_of_before_an_upgrade_is_made_again(house: House) -> None:
    """A statement that stayed prepared returns what the table has now: a unit is run again, a reader may try again."""
    catalog = house.keeper.engine.catalog

    def upgrade(statement: LiteralString) -> None:
        with psycopg.connect(str(house.settings.catalog.url)) as another:
            another.execute(statement)

    upgrade("CREATE TABLE changing (id text)")
    every = sa.text("SELECT * FROM changing")
    for _ in range(12):
        catalog.run(TESTER, lambda connection: connection.execute(every).all())
        with catalog.reading() as connection:
            connection.execute(every)
    upgrade("ALTER TABLE changing ADD COLUMN more text")
    assert catalog.run(TESTER, lambda connection: list(connection.execute(every).keys())) == ["id", "more"]
    for _ in range(12):
        with catalog.reading() as connection:
            connection.execute(every)
    upgrade("ALTER TABLE changing DROP COLUMN more")
    with pytest.raises(CatalogUnavailable, match="cached plan"), catalog.reading() as connection:
        connection.execute(every)
    upgrade("DROP TABLE changing")


def test_a_catalog_that_is_not_there() -> None:
    """A catalog that can't be reached is an error that says so, in seconds."""
    settings = CatalogSettings(url="postgresql://nobody@127.0.0.1:1/none", timeout=timedelta(seconds=1))
    database = Database(settings)
    try:
        with pytest.raises(CatalogUnavailable), database.reading() as connection:
            catalog_now(connection)
    finally:
        database.close()


def test_its_clock_moves_within_a_transaction(house: House) -> None:
    """The time of decisions is PostgreSQL's at that moment, aware, in UTC."""

    def unit(connection: sa.Connection) -> tuple[datetime, datetime]:
        first = catalog_now(connection)
        connection.execute(sa.text("SELECT pg_sleep(0.01)"))
        return first, catalog_now(connection)

    first, second = house.keeper.engine.catalog.run(TESTER, unit)
    assert second - first >= timedelta(milliseconds=10)
    assert first.utcoffset() == timedelta(0)
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose answers are swallowed ends by the clock here: TCP sees nothing wrong with it."""
    monkeypatch.setattr("tierkeeper.catalog.database.MARGIN", 0.5)
    [port] = free_ports(1)
    with services.embedded_postgres(port=port) as server, in_front_of(("127.0.0.1", port)) as proxy:
        direct = sa.make_url(server.url("postgres"))
        through = sa.URL.create(
            "postgresql", direct.username, direct.password, host="127.0.0.1", port=proxy.port, database="postgres"
        )
        settings = CatalogSettings(
            url=through.render_as_string(hide_password=False),
            timeout=timedelta(seconds=2),
            statement_timeout=timedelta(seconds=1),
        )
        database = Database(settings)
        try:
            with database.reading() as connection:
                catalog_now(connection)
            proxy.silence()
            began = time.monotonic()
            with pytest.raises(CatalogUnavailable), database.reading() as connection:
                catalog_now(connection)
            assert 1 < time.monotonic() - began < 8  # the ping, then a connection that is not made
            proxy.heal()
            with database.reading() as connection:
                catalog_now(connection)
        finally:
            database.close()


def test_a_transaction_that_says_nothing_frees_its_rows(house: House) -> None:
    """A worker that is stopped in the middle of a transaction holds its rows for the idle time only."""
    settings = house.settings.catalog.model_copy(update={"idle_timeout": timedelta(seconds=1)})
    stopped = Database(settings)
    lock = sa.text("SELECT id FROM artifacts WHERE id = :id FOR UPDATE")
    house.store("a")
    try:
        with stopped.engine.connect() as connection:
            connection.execute(lock, {"id": house.show("a").id})
            house.keeper.engine.catalog.run(TESTER, lambda other: other.execute(lock, {"id": house.show("a").id}))
            connection.invalidate()
    finally:
        stopped.close()


def test_a_transaction_that_was_stopped_is_run_again(house: House) -> None:
    """A process that sleeps past the idle time finds its transaction gone, and does it once more."""
    impatient = Database(house.settings.catalog.model_copy(update={"idle_timeout": timedelta(seconds=0.2)}))
    tries: list[int] = []

    def unit(connection: sa.Connection) -> datetime:
        catalog_now(connection)
        tries.append(1)
        if len(tries) == 1:
            time.sleep(0.5)
        return catalog_now(connection)

    try:
        assert impatient.run(TESTER, unit)
    finally:
        impatient.close()
    assert len(tries) == 2


def test_a_lock_is_not_waited_for_for_ever(house: House) -> None:
    """A row that another transaction keeps is CatalogUnavailable after the time-out of locks; it may be tried again."""
    settings = house.settings.catalog.model_copy(update={"lock_timeout": timedelta(seconds=0.2)})
    hurried = Database(settings)
    house.store("a")
    lock = sa.text("SELECT id FROM artifacts WHERE id = :id FOR UPDATE")
    try:
        with house.keeper.engine.catalog.engine.begin() as connection:
            connection.execute(lock, {"id": house.show("a").id})
            with pytest.raises(CatalogUnavailable, match="lock timeout"):
                hurried.run(TESTER, lambda other: other.execute(lock, {"id": house.show("a").id}))
    finally:
        hurried.close()


def test_a_slow_reader_of_events_is_waited_for(house: House) -> None:
    """Whoever pages through the audit log may take longer between two pages than a transaction may say nothing."""
    catalog = house.settings.catalog.model_copy(update={"idle_timeout": timedelta(seconds=0.2)})
    count = len(list(house.keeper.events.select()))
    with Keeper.open(house.settings.model_copy(update={"catalog": catalog})) as impatient:
        lines = impatient.events.select()
        next(lines)
        time.sleep(0.5)
        assert len(list(lines)) == count - 1


def test_a_stream_that_is_cut_leaves_no_cursor_open(house: House) -> None:
    """It ended with its session; the driver's warning would come whenever memory is tidied, in whatever runs then."""

    def cut() -> None:
        with house.keeper.engine.catalog.reading() as connection:
            rows = connection.execute(sa.text("SELECT generate_series(1, 9999)"), execution_options={"yield_per": 9})
            assert rows.fetchone() is not None
            house.sql(f"SELECT pg_terminate_backend({connection.scalar(sa.text('SELECT pg_backend_pid()'))})")
            connection.execute(sa.text("SELECT 1"))

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(CatalogUnavailable) as raised:
            cut()
        del raised
        gc.collect()
    assert not [each for each in warned if "ServerCursor" in str(each.message) or "StreamCursor" in str(each.message)]


@pytest.mark.parametrize("given", [[], ["one"], ["one", None], [None, "one", "two"], [None]], ids=str)
def test_ids_come_back_as_they_were(house: House, given: list[str | None]) -> None:
    """Lists of ids go in binary form: their order, nulls among them and empty ones are the driver's own."""
    ids = [None if each is None else uuid5(NAMESPACE_URL, each) for each in given]
    asked = sa.text("SELECT ids, ids[1], array_length(ids, 1), pg_typeof(ids)::text FROM (SELECT :ids AS ids) AS w")
    typed_ids = asked.bindparams(*typed(ids="uuid[]"))
    with house.keeper.engine.catalog.reading() as connection:
        row = connection.execute(typed_ids, {"ids": ids}).one()
        found = set(connection.execute(sa.text("SELECT id FROM artifacts WHERE NOT id = ANY(:ids)"), {"ids": ids}))
    assert tuple(row) == (ids, ids[0] if ids else None, len(ids) or None, "uuid[]")
    assert bool(found) is (None not in ids)  # of a null nothing is known


def test_ids_are_written_into_a_text_as_text(house: House) -> None:
    """Where a statement has its values in its text, as EXECUTE of a prepared one, ids stand there as such."""
    ids = [uuid4(), None]
    with psycopg.connect(house.keeper.settings.catalog.url or "") as plain:
        expected = psycopg.sql.Literal(ids).as_string(plain)
    with house.keeper.engine.catalog.reading() as connection:
        assert psycopg.sql.Literal(ids).as_string(connection.connection.driver_connection) == expected


def test_lists_of_ids_and_texts_are_refused(house: House) -> None:
    """Ids as text among ids are a mistake of the caller's, which no binary form hides."""
    with house.keeper.engine.catalog.reading() as connection, pytest.raises(Exception, match="mixed types"):
        connection.execute(sa.text("SELECT id FROM artifacts WHERE id = ANY(:ids)"), {"ids": [uuid4(), "text"]})
