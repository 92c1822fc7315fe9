"""Transactions on the catalog: run again after a deadlock or a lost connection, with one clock."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from integration.keeper.house import House

from tierkeeper.base.errors import CatalogUnavailable
from tierkeeper.base.settings_groups import CatalogSettings
from tierkeeper.catalog.database import Database, now


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

        house.keeper.engine.catalog.run(unit)

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

    assert house.keeper.engine.catalog.run(unit) == 42
    assert len(tries) == 2


def test_a_catalog_that_is_not_there() -> None:
    """A catalog that can't be reached is an error that says so, in seconds."""
    settings = CatalogSettings(url="postgresql://nobody@127.0.0.1:1/none", timeout=timedelta(seconds=1))
    database = Database(settings)
    try:
        with pytest.raises(CatalogUnavailable), database.reading() as connection:
            now(connection)
    finally:
        database.close()


def test_its_clock_moves_within_a_transaction(house: House) -> None:
    """The time of decisions is PostgreSQL's at that moment, aware, in UTC."""

    def unit(connection: sa.Connection) -> tuple[datetime, datetime]:
        first = now(connection)
        connection.execute(sa.text("SELECT pg_sleep(0.01)"))
        return first, now(connection)

    first, second = house.keeper.engine.catalog.run(unit)
    assert second - first >= timedelta(milliseconds=10)
    assert first.utcoffset() == timedelta(0)
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=1)
