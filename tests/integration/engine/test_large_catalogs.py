"""What users and sweeps ask again and again costs the same in a large catalog: nothing of it scans.

``make test`` compares catalogs of 10⁴ and 10⁵ artifacts, ``make scale`` of 10⁴ and 10⁶.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from support import services
from support.callers import TESTER
from support.catalogs import FOLDERS
from support.house import AT_ONCE, TENANT, WORKFLOW, House, initialized
from support.large import SHARED, VERSIONED, ExplainedStatement, ExplainedStatements, fill, fill_alike
from support.scale import LONG

from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog import artifacts, browse
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.parking import StuckFilter

SMALL, LARGE = 10_000, 1_000_000 if LONG else 100_000
GROWTH = 3  # times the buffers of the small catalog
#: buffers that count as none: the index of a large table is a page deeper, and what was just written lies in some more
NOISE = 50
Acts = Mapping[str, Callable[[], object]]


def sweeps(house: House, size: int) -> Acts:
    """Return what Beat has done, and what stores and verbs do beside it."""
    keeper = house.keeper
    return {
        "store what many have": lambda: house.store("one-more", SHARED.encode()),
        "promote one of many": lambda: house.promote(f"{SHARED}-1", "warm"),
        "purge one of many": lambda: house.purge(f"{SHARED}-3"),
        "undelete one of many": lambda: house.undelete(f"{SHARED}-3"),
        "store one version more": lambda: house.store(VERSIONED, b"the newest"),
        "promote the latest version": lambda: house.promote(VERSIONED, "warm"),
        "purge the latest version": lambda: house.purge(VERSIONED),
        "store": lambda: [house.store(f"new-{n}", b"new %d" % n) for n in range(3)],
        "rotate": house.turn,
        "rotate, nothing due": house.turn,
        "rotate of a tenant": lambda: keeper.sweeps.rotate(caller=TESTER, tenant="tenant-1"),
        "clean hot": lambda: keeper.sweeps.rotate(caller=TESTER, databases_only=True),
        "collect": house.collect,
        "recompute": keeper.sweeps.recompute,
        "redeliver": lambda: list(keeper.deliveries.due()),
        "verify": lambda: keeper.sweeps.verify(caller=TESTER, share=4 / size),
        "maintain": lambda: keeper.sweeps.maintain(caller=TESTER),
        "promote": lambda: house.promote("a-2", "warm"),
        "archive": lambda: house.archive("a-4"),
        "restore": lambda: house.restore("a-1"),
        "purge": lambda: house.purge("a-3"),
        "undelete": lambda: house.undelete("a-3"),
    }


def looks(house: House) -> Acts:
    """Return what users look at."""
    keeper = house.keeper

    def find(**conditions: object) -> Callable[[], object]:
        return lambda: list(keeper.artifacts.select(Filter(**conditions), limit=20))  # type: ignore[arg-type]

    def last_page() -> None:
        with keeper.engine.catalog.reading() as connection:
            last = artifacts.by_ref(connection, house.ref("a-1"))
            browse.page(connection, Filter(), after=last, limit=None)

    return {
        "health": keeper.health.check,
        "due": keeper.sweeps.due,
        "due of a tenant": lambda: keeper.sweeps.due(tenant="tenant-1"),
        "show": lambda: house.show("a-1"),
        "explain": lambda: keeper.artifacts.explain(house.ref("a-1")),
        "get": lambda: house.read("a-1"),
        "ls": find(),
        "ls TENANT": find(tenant="tenant-19"),
        "ls TENANT/WORKFLOW": find(tenant=TENANT, workflow="flow-38"),
        "ls TENANT/WORKFLOW/BEGINNING": find(tenant=TENANT, workflow=WORKFLOW, prefix="a-1"),
        "ls --all-versions --all": find(all_versions=True, state=None),
        "ls, the last page": last_page,
        "show one of many": lambda: house.show(f"{SHARED}-5"),
        "explain one of many": lambda: keeper.artifacts.explain(house.ref(f"{SHARED}-5")),
        "get one of many": lambda: house.read(f"{SHARED}-5"),
        "show the latest version": lambda: house.show(VERSIONED),
        "explain the latest version": lambda: keeper.artifacts.explain(house.ref(VERSIONED)),
        "find --name": find(tenant=TENANT, workflow=WORKFLOW, name="a-1*"),
        "find --workflow": find(workflow="repo*"),
        "find --tag": find(tags={"case": "7"}),
        "find --sha256": find(sha256=house.show("a-1").sha256),
        "find --tier": find(tier="cold"),
        "find --older-than": find(older_than=timedelta(days=20)),
        "find --state": find(state=ArtifactState.DELETED),
        "stats": keeper.tiers.stats,
        "stats of a tenant": lambda: keeper.tiers.stats(tenant="tenant-1"),
        "stats, much refused": keeper.tiers.stats,
        "stats of a tenant, much refused": lambda: keeper.tiers.stats(tenant="tenant-1"),
        "events": lambda: list(keeper.events.select(limit=50)),
        "events of a tenant": lambda: list(keeper.events.select(tenant="tenant-1", limit=50)),
        "events of a type": lambda: list(keeper.events.select(type="undeleted", limit=50)),
        "events of an artifact": lambda: list(keeper.events.select(ref=house.ref("a-1"), limit=50)),
        "runs list": keeper.runs.latest,
        "parked list": lambda: list(keeper.parked.select(StuckFilter())),
    }


def refuse_much(house: House, size: int) -> None:
    """Let the steps of half the artifacts have failed, and the deletes of as many orphans have been refused."""
    house.sql(
        "UPDATE schedule SET failures = 1, failed_code = 'StoreDenied', failed_tier = 'warm', failed_words = 'no',"
        " failed_at = now() WHERE artifact_id IN (SELECT id FROM artifacts ORDER BY id LIMIT :half)",
        half=size // 2,
    )
    house.sql(
        "INSERT INTO quarantine (tier, location, first_seen, refused_since, refused_at, refusals)"
        " SELECT 'warm', 'orphan-' || n, now(), now(), now(), 1 FROM generate_series(1, :half) AS n",
        half=size // 2,
    )
    house.sql("ANALYZE schedule, quarantine")


Opened = Callable[[int], AbstractContextManager[House]]


@pytest.fixture
def opened(
    postgres_server: Postgres, catalog_template: str, settings_factory: Callable[..., Settings], tmp_path: Path
) -> Opened:
    """Opens a house with so many artifacts by SQL, and some that were stored."""

    @contextmanager
    def opened(size: int) -> Iterator[House]:
        with services.fresh_database(postgres_server, template=catalog_template) as url:
            settings = settings_factory(engine=AT_ONCE, catalog={"url": url}, tiers=FOLDERS, home=tmp_path / str(size))
            with Keeper.open(settings) as keeper:
                initialized(keeper)
                fill(url, size)
                house = House(keeper, settings)
                for n in range(8):
                    age = timedelta(days=8 if n % 2 else 40)
                    house.store(f"a-{n}", b"content %d" % n, age=age, tags={"case": str(n)})
                for name in (SHARED, VERSIONED):
                    house.store(name, name.encode())
                fill_alike(url, size // 10)
                # what verify reads has bytes
                house.sql("UPDATE placements SET verified_at = '2000-01-01Z' WHERE made_at > now() - interval '1 h'")
                yield house

    return opened


Found = dict[tuple[str, str], ExplainedStatement]


def explained(house: House, size: int) -> Found:
    """Return the plan of every statement that these acts and looks send."""
    plans = ExplainedStatements()
    for doing, act in {**sweeps(house, size), **looks(house)}.items():
        if doing == "stats, much refused":
            refuse_much(house, size)
        with plans.of(house.keeper.engine.catalog.engine, doing):
            act()
    return plans.found


def figures(small: Found, large: Found) -> str:
    """Return the buffers of the costliest statement of each act, in both catalogs."""
    rows: dict[str, list[int]] = {}
    for index, found in enumerate((small, large)):
        for (doing, _), plan in found.items():
            rows.setdefault(doing, [0, 0])[index] = max(rows.get(doing, [0, 0])[index], plan.buffers)
    lines = (f"{doing:30} {before:8} {after:8}" for doing, (before, after) in rows.items())
    return "\n".join([f"\n{'buffers at most, of a statement':30} {SMALL:8} {LARGE:8}", *lines, ""])


def test_no_statement_grows_with_the_catalog(opened: Opened) -> None:
    """None scans a table that grows with the artifacts, or uses three times the buffers of a catalog of 10⁴."""
    with opened(SMALL) as house:
        small = explained(house, SMALL)
    with opened(LARGE) as house:
        large = explained(house, LARGE)
        about = {tier.tier: tier for tier in house.keeper.tiers.stats()}
        exactly = {tier.tier: tier for tier in house.keeper.tiers.stats(exact=True)}
        [tenant] = [tier for tier in house.keeper.tiers.stats(tenant="tenant-1") if tier.tier == "hot"]
    assert len(large) > 250
    most = dict[str, int]()  # of what was done in the small catalog; a statement may be another one in a large catalog
    for (doing, _), plan in small.items():
        most[doing] = max(most.get(doing, 0), plan.buffers)
    grown = []
    for (doing, statement), plan in large.items():
        known = small.get((doing, statement))
        before = max(NOISE, most.get(doing, 0) if known is None else known.buffers)
        if plan.scanned or plan.buffers > GROWTH * before:
            grown.append(f"{doing}: {before} -> {plan}: {' '.join(statement.split())}")
    if LONG:
        sys.stdout.write(figures(small, large))
    assert not grown, "\n".join(grown)
    assert not any(tier.exact for tier in about.values())
    assert all(tier.exact and tier.tenants is not None for tier in exactly.values())
    for name in ("hot", "warm"):
        assert about[name].present == pytest.approx(exactly[name].present, rel=0.2)
        assert (about[name].doomed, about[name].missed) == (exactly[name].doomed, exactly[name].missed)
    assert tenant.present == pytest.approx(LARGE / 20, rel=0.3)  # all of it lies in hot
