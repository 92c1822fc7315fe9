"""What the daily runs ask of copies is found by an index, in its order, however many other copies there are."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from support.house import House

from tierkeeper.catalog import placements, verification
from tierkeeper.catalog.database import catalog_now
from tierkeeper.catalog.placements import BEGINNING, END
from tierkeeper.catalog.verification import Order

MANY = 20_000
DAY = timedelta(days=1)

#: what is asked of the catalog, at a time
Asked = Callable[[sa.Connection], Any]


@pytest.fixture
def many(house: House) -> Iterator[House]:
    """Copies that were all read within a month, a fiftieth never, or in a time to come, or are missed or in doubt."""
    house.sql(
        "INSERT INTO blobs (id, scope, sha256, size) SELECT gen_random_uuid(), 'acme',"
        " sha256(CAST(CAST(n AS text) AS bytea)), n FROM generate_series(1, :many) n",
        many=MANY,
    )
    house.sql(
        "INSERT INTO placements (id, blob_id, tier, location, state, stored_size, vouched, verified_at, missed_at)"
        " SELECT gen_random_uuid(), id, 'warm', CAST(id AS text), 'present', 1,"
        " CASE WHEN size % 50 <> 1 THEN 'written' END,"
        " CASE size % 50 WHEN 2 THEN NULL WHEN 3 THEN now() + interval '1 year'"
        " ELSE now() - random() * interval '30 days' END,"
        " CASE size % 50 WHEN 4 THEN now() - interval '2 days' WHEN 5 THEN now() - interval '1 minute'"
        " WHEN 6 THEN now() + interval '1 year' END FROM blobs"
    )
    house.sql("ANALYZE placements")
    yield house
    house.reset()


def suspects_until_yesterday(connection: sa.Connection) -> object:
    """Return those whose quarantine is over."""
    return placements.suspects(connection, until=catalog_now(connection) - DAY, after=BEGINNING, limit=1000)


def suspects_to_come(connection: sa.Connection) -> object:
    """Return those that a clock which was ahead noted."""
    return placements.suspects(connection, until=END, after=placements.past(catalog_now(connection)), limit=20)


def in_doubt(connection: sa.Connection) -> object:
    """Return what nobody vouches for."""
    return verification.to_verify(
        connection, Order.UNVOUCHED, before=catalog_now(connection), after=BEGINNING, limit=20
    )


def never_read(connection: sa.Connection) -> object:
    """Return what was never read."""
    return verification.to_verify(connection, Order.UNREAD, before=catalog_now(connection), after=BEGINNING, limit=20)


def read_long_ago(connection: sa.Connection) -> object:
    """Return what was read longest ago."""
    return verification.to_verify(connection, Order.OLDEST, before=catalog_now(connection), after=BEGINNING, limit=20)


def read_in_a_time_to_come(connection: sa.Connection) -> object:
    """Return what a clock which was ahead read."""
    after = placements.past(catalog_now(connection))
    return verification.to_verify(connection, Order.OLDEST, before=END, after=after, limit=20)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (suspects_until_yesterday, "ix_placements_missed"),
        (suspects_to_come, "ix_placements_missed"),
        (in_doubt, "ix_placements_unvouched"),
        (never_read, "ix_placements_verified"),
        (read_long_ago, "ix_placements_verified"),
        (read_in_a_time_to_come, "ix_placements_verified"),
    ],
)
def test_an_index_finds_them(many: House, asked: Asked, index: str) -> None:
    """The statement, as it is sent, reads the index, and next to nothing that it does not return."""
    sent: list[tuple[str, Any]] = []
    with many.keeper.engine.catalog.engine.connect() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *call: sent.append((call[2], call[3])))
        asked(connection)
        statement, arguments = next((s, a) for s, a in sent if "ORDER BY" in s)
        told = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", arguments).scalars().all()
        connection.rollback()
    plan = "\n".join(told)
    assert index in plan, plan
    assert "Seq Scan on placements" not in plan, plan
    passed_over = [int(line.split(":")[1]) for line in told if "Rows Removed by Filter" in line]
    assert sum(passed_over) < MANY // 50, plan
