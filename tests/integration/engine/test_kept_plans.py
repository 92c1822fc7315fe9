"""Plans that PostgreSQL keeps for prepared statements, made while the catalog was empty, stay right as it grows."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support import services
from support.callers import TESTER
from support.catalogs import FOLDERS
from support.house import AT_ONCE, House, initialized
from support.large import LARGE as GROWING
from support.large import fill

from tierkeeper.embedded.postgres import Postgres
from tierkeeper.engine.read import access_times
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper_client.contract import Queue

SIZE = 30_000  # artifacts that come after the plans were made
FEW = 3_000  # rows that what is done once may read, of all tables that grow
_READ = sa.text("""
    SELECT coalesce(sum(t.seq_tup_read), 0) AS scanned, coalesce(sum(i.read), 0) AS by_index
    FROM pg_stat_user_tables t
        CROSS JOIN LATERAL (SELECT sum(idx_tup_read) AS read FROM pg_stat_user_indexes WHERE relid = t.relid) AS i
    WHERE t.relname ~ :growing
""")


def once(house: House, number: int) -> dict[str, Callable[[], object]]:
    """Return what sweeps, stores, verbs and readers do, of a few artifacts."""
    keeper = house.keeper
    names = [f"n{number}-{n}" for n in range(4)]
    return {
        "store": lambda: house.store(names[0], f"{number} one".encode(), age=timedelta(days=8)),
        "store many": lambda: keeper.artifacts.store_many(
            [house.args(name, f"{number} {name}".encode(), age=timedelta(days=8)) for name in names[1:]], caller=TESTER
        ),
        "rotate": house.turn,
        "promote": lambda: house.promote(names[0], "hot"),
        "purge": lambda: house.purge(names[1]),
        "undelete": lambda: house.undelete(names[1]),
        "archive": lambda: house.archive(names[2]),
        "collect": house.collect,
        "show": lambda: house.show(names[0]),
        "explain": lambda: keeper.artifacts.explain(house.ref(names[0])),
        "get": lambda: house.read(names[0]),
        "canary": lambda: keeper.health.canary(Queue.INGEST, sent_at=None),
        "maintain": lambda: keeper.sweeps.maintain(caller=TESTER),
    }


@pytest.fixture
def grown(
    postgres_server: Postgres,
    catalog_template: str,
    settings_factory: Callable[..., Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, int]:
    """How many rows each act read, by plans of an empty catalog, after the catalog had grown and nobody analysed it."""
    monkeypatch.setattr(access_times, "_SECONDS", 0.0)
    read: dict[str, int] = {}
    with services.fresh_database(postgres_server, template=catalog_template) as url:
        name = sa.make_url(url).database
        services.execute(url, f"ALTER DATABASE {name} SET plan_cache_mode = force_generic_plan")
        for table in ("artifacts", "names", "blobs", "placements", "schedule", "commands"):
            services.execute(url, f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        settings = settings_factory(
            engine=AT_ONCE, catalog={"url": url, "pool_size": 1, "pool_overflow": 0}, tiers=FOLDERS, home=tmp_path
        )
        with Keeper.open(settings) as keeper:
            initialized(keeper)
            house = House(keeper, settings)
            for number in range(7):  # one more than after which psycopg prepares
                for act in once(house, number).values():
                    act()
            house.sql("ANALYZE")  # which says how small it is, and has every plan made again
            for act in once(house, 7).values():
                act()
            fill(url, SIZE, tidy=False)
            for doing, act in once(house, 8).items():
                before = rows_read(house)
                act()
                read[doing] = rows_read(house) - before
    return read


def rows_read(house: House) -> int:
    """How many rows of the tables that grow were read, by scans and by indexes."""
    with house.keeper.engine.catalog.reading() as connection:
        connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
    with house.keeper.engine.catalog.reading() as connection:
        connection.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
        row = connection.execute(_READ, {"growing": f"^({'|'.join(GROWING)})"}).one()
    return int(row.scanned + row.by_index)


def test_plans_of_an_empty_catalog_stay_right(grown: dict[str, int]) -> None:
    """What reads a few rows of an empty catalog reads a few of a large one, by the plan that was kept."""
    assert {doing: rows for doing, rows in grown.items() if rows > FEW} == {}
    assert sum(grown.values()) > 100
