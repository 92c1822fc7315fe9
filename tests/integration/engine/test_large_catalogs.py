"""What users and sweeps ask again and again costs the same in a large catalog: nothing of it scans.

``make test`` compares catalogs of 10⁴ and 10⁵ artifacts, ``make scale`` of 10⁴ and 10⁶.
"""

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from support import services
from support.callers import TESTER
from support.catalogs import FOLDERS
from support.house import AT_ONCE, TENANT, WORKFLOW, House, initialized
from support.large import (
    SHARED,
    VERSIONED,
    ExplainedStatements,
    fill,
    fill_alike,
    fill_old_commands,
    named_statements,
)
from support.scale import LONG

from tierkeeper.base.errors import TooManyVersions
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState, RunKind, RunState
from tierkeeper.catalog import artifacts, browse, placements, recomputing, schedule
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.engine.policies import in_force, recompute
from tierkeeper.engine.read import access_times
from tierkeeper.keeper import Keeper
from tierkeeper.policy import document
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import Filter, Ref, StoreResult
from tierkeeper.values.parking import StuckFilter
from tierkeeper_client.contract import Queue

SMALL, LARGE = 10_000, 1_000_000 if LONG else 100_000
GROWTH = 3  # times the buffers of the small catalog
#: buffers that count as none: the index of a large table is a page deeper, each of forty ids is on a leaf of its own
#: there, and what was just written lies in some more; what grows reads thousands
NOISE = 100
Acts = Mapping[str, Callable[[], object]]
#: it has no name, being put together: part of its text
COUNT_MATCHING = ") AS could"
KEEP_FEW = "phases: [{after: 0d, in: [hot]}]\nversions: {keep: 3}\n"
#: policies that make due: some of one tenant's, by their tags; some of each, by the beginnings of their names
TAGGED = f"""
name: tagged
match: {{tenant: {TENANT}, workflow: 'flow-1*', tags: {{case: '7'}}}}
phases: [{{after: 0d, in: [hot]}}, {{after: 1d, in: [warm]}}]
"""
DELETING = f"""
name: deleting
match: {{tenant: {TENANT}, workflow: 'flow-*', name: 'item-000001*'}}
phases: [{{after: 0d, in: [hot]}}, {{after: 1d, in: []}}]
"""
SOME = """
name: some
match: {WHOSE workflow: 'flow-*', name: 'item-000000*'}
phases: [{after: 0d, in: [hot]}, {after: 2d, in: [warm]}]
"""


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
        "store a folder, unchanged": lambda: store_again(house),
        "a canary comes through": lambda: come_through(house),
        "edit a policy of a tenant": lambda: house.policy(TAGGED),
        "edit a policy of some names": lambda: house.policy(SOME.replace("WHOSE", f"tenant: {TENANT}, ")),
        "edit a policy of all tenants": lambda: house.policy(SOME.replace("WHOSE", "")),
        "edit a policy beyond what a user waits for": lambda: begin_recompute(house),
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
        "renew": lambda: keeper.engine.catalog.run(TESTER, renew),
        "archive all versions": lambda: archive_all(house),
        "edit a policy that deletes": lambda: house.policy(DELETING),
        "rotate, braked": house.turn,
        "approve": lambda: approve(house),
        "rotate, approved": house.turn,
        "start afresh": lambda: keeper.engine.catalog.run(TESTER, start_afresh),
        "keep few versions": lambda: keep_few(house),
    }


def store_again(house: House) -> None:
    """Store files of a folder that are there, as a command does: without keys."""
    contents = [b"content %d" % n for n in range(8)]
    items = [house.args(f"a-{n}", content, tags={"case": str(n)}) for n, content in enumerate(contents)]
    openings = {n: partial(io.BytesIO, content) for n, content in enumerate(contents)}
    results = house.keeper.artifacts.store_many(items, caller=TESTER, contents=openings)
    assert {result.outcome for result in results if isinstance(result, StoreResult)} == {"unchanged"}


def come_through(house: House) -> None:
    """Let a canary come through each queue, as they have for a long time: commands that are old enough may end."""
    for queue in Queue:
        house.keeper.health.canary(queue, sent_at=datetime.now(UTC))
    house.sql("UPDATE heartbeats SET since = at - interval '200 days'")


def begin_recompute(house: House) -> None:
    """Edit a policy, and leave all that it makes due to the sweep."""
    text = SOME.replace("WHOSE", f"tenant: {TENANT}, ").replace("2d", "1d")
    parsed = document.parse(text, source="test.yaml", tiers=house.keeper.engine.tiers)
    in_force.apply(house.keeper.engine.catalog, parsed, caller=TESTER)


def renew(connection: sa.Connection) -> None:
    """Lengthen leases, as a worker does that copies for long."""
    token = new_id()
    schedule.renew(connection, [token], token=token, lease_seconds=60)
    placements.renew(connection, token, lease_seconds=60)


def start_afresh(connection: sa.Connection) -> None:
    """Content that many have can be read again."""
    latest = artifacts.by_ref(connection, Ref(TENANT, WORKFLOW, SHARED))
    assert latest is not None
    assert latest.blob_id is not None
    schedule.start_afresh(connection, [latest.blob_id], now=datetime.now(UTC))


def approve(house: House) -> None:
    """Approve what the brake stopped."""
    [run] = [run for run in house.keeper.runs.latest(kind=RunKind.PURGE) if run.state is RunState.AWAITING_APPROVAL]
    house.keeper.runs.approve(run.id, caller=TESTER, reason="looked at")


def keep_few(house: House) -> None:
    """Store a version of a name of which few are kept."""
    house.policy(f"name: few\nmatch: {{workflow: {WORKFLOW}, name: {VERSIONED}}}\n{KEEP_FEW}")
    house.store(VERSIONED, b"of few")


def archive_all(house: House) -> None:
    """Ask for more versions than one command may have."""
    with pytest.raises(TooManyVersions):
        house.archive(VERSIONED, all_versions=True)


def looks(house: House, size: int) -> Acts:
    """Return what users look at."""
    keeper = house.keeper

    def find(**conditions: object) -> Callable[[], object]:
        return lambda: list(keeper.artifacts.select(Filter(**conditions), limit=20))  # type: ignore[arg-type]

    late = """
        SELECT a.id
        FROM artifacts a JOIN names n ON n.id = a.name_id
        WHERE n.tenant = :tenant AND n.workflow = 'flow-8'
        ORDER BY n.name DESC LIMIT 1
    """
    [[behind]] = house.sql(late, tenant=TENANT)  # nearly all names of its tenant

    def last_page(**conditions: object) -> None:
        with keeper.engine.catalog.reading() as connection:
            [last] = artifacts.load(connection, [behind])
            browse.page(connection, Filter(**conditions), after=last, limit=20)  # type: ignore[arg-type]

    def page_of_versions(after: int) -> list[ArtifactRow]:
        of_name = Filter(tenant=TENANT, workflow=WORKFLOW, name=VERSIONED, all_versions=True, state=None)
        with keeper.engine.catalog.reading() as connection:
            last = artifacts.by_ref(connection, house.ref(VERSIONED, after))
            return browse.page(connection, of_name, after=last, limit=20)

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
        "ls TENANT, the last page": partial(last_page, tenant=TENANT),
        "ls TENANT/WORKFLOW, the last page": partial(last_page, tenant=TENANT, workflow="flow-*"),
        "ls --all-versions of a name": lambda: page_of_versions(2),
        "ls --all-versions of a name, further": lambda: page_of_versions(size // 11),
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
        "events of many versions": lambda: list(keeper.events.select(ref=house.ref(VERSIONED), limit=50)),
        "events cut of many versions": lambda: keeper.events.cut(ref=house.ref(VERSIONED)),
        "follow events": lambda: list(keeper.events.after(None, limit=50)),
        "plan": lambda: list(keeper.plans.due(as_of=datetime.now(UTC) + timedelta(days=2), limit=20)),
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


#: what acts are there for: an act that no longer reaches its statements explains nothing
SENDS: Mapping[str, set[str]] = {
    "store a folder, unchanged": {"unchanged._FIND"},
    "a canary comes through": {"heartbeats._BEAT"},
    "edit a policy of a tenant": {"recomputing._PAGE_OF_LATER", COUNT_MATCHING},
    "edit a policy of some names": {
        "recomputing._LAST_OF_LATER",
        "schedule._HASTEN",
        "schedule._FORETELL",
        COUNT_MATCHING,
    },
    "edit a policy of all tenants": {"recomputing._TENANT", "schedule._HASTEN", "schedule._FORETELL", COUNT_MATCHING},
    "recompute": {
        "recomputing._PAGE_OF_WORKFLOW",
        "recomputing._LAST_OF_WORKFLOW",
        "recomputing._MOVE",
        "schedule._HASTEN",
        "schedule._FORETELL",
    },
    "maintain": {"command_ends._END", "heartbeats._REACHED", "runs._PRUNE"},
    "health": {"health.LOOK", "sweep_ends._FAILING", "sweep_ends._LAST_DONE"},
    "collect": {"artifacts._OF_BLOBS", "artifacts._FORGET_BLOBS", "placements._RIPE"},
    "rotate, braked": {"brake_counts._WEIGH", "brake_counts._STOP"},
    "approve": {"brake_counts._LET_GO"},
    "keep few versions": {"artifacts._SURPLUS"},
    "get": {"artifacts._ACCESSED"},
}
_WHOLE = (
    "an operator's work on a whole catalog, tier or month, which may scan: reconcile, dump, rebuild, doctor, detach"
)
_FEW = "of a table that does not grow with what is stored"
#: why none of the acts sends named statements: of a whole module, where some others are sent, or one by one
UNSENT: Mapping[str, str] = {
    "brake_counts._SHARED": "a lock, which reads no table",
    "copy_counts._ALL": "`stats --exact`, which may scan",
    "dead_letters": _FEW,
    "dedup_scopes": _FEW,
    "deliveries": _FEW,
    "events": _WHOLE,
    "future": _WHOLE,
    "history": _WHOLE,
    "holds": _WHOLE,
    "identity": _WHOLE,
    "inventory": _WHOLE,
    "migrate": _WHOLE,
    "outcomes": "asks for no table",
    "parked": "of one artifact, by its id",
    "partitions": _WHOLE,
    "placements": "of copies that were read or listed, by their ids",
    "placements._UNMISSED": _WHOLE,
    "plans": "of one plan",
    "policies": _FEW,
    "quarantine": _WHOLE,
    "rebuilding": _WHOLE,
    "recomputing._LIVE": "a recompute that a process of the release before began",
    "refusals": "of copies and orphans that a delete has just named, by their ids",
    "revisions": _WHOLE,
    "runs": "of one run, by its id",
    "schedule": "of artifacts by their ids",
    "segments": _FEW,
    "staging": _FEW,
    "switches": _FEW,
    "unreadable": _WHOLE,
    "unseen": "of copies that collect has just judged, by their ids",
}
#: why a statement, or what an act sends, may use more in a larger catalog
MAY_GROW: Mapping[str, str] = {
    "brake_counts._POPULATION": "the brake's share is one of all that a tenant has; asked above its number alone",
    "events of many versions": "each version's events are looked up by its id",
    "keep few versions": "at most a thousand versions become due at a store, and 100 000 are counted for a policy",
    "runs list": "as many runs as there are in `runs_kept`, whatever is stored",
    "runs._PRUNE": "as many runs as there are in `runs_kept`, whatever is stored: once a day",
    "start afresh": "what failed is found among all that have the content, where a copy of it is good again",
}
Opened = Callable[[int], AbstractContextManager[House]]


@pytest.fixture
def opened(
    postgres_server: Postgres, catalog_template: str, settings_factory: Callable[..., Settings], tmp_path: Path
) -> Opened:
    """Opens a house with so many artifacts by SQL, and some that were stored."""

    @contextmanager
    def opened(size: int) -> Iterator[House]:
        with services.fresh_database(postgres_server, template=catalog_template) as url:
            settings = settings_factory(
                engine={**AT_ONCE, "brake_count": 5, "brake_share": 5 / size},  # of some thirty that are deleted
                catalog={"url": url},
                tiers=FOLDERS,
                home=tmp_path / str(size),
            )
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
                fill_old_commands(url, 1500)
                # what verify reads has bytes
                house.sql("UPDATE placements SET verified_at = '2000-01-01Z' WHERE made_at > now() - interval '1 h'")
                yield house

    return opened


def explained(house: House, size: int) -> ExplainedStatements:
    """Return the plan of every statement that these acts and looks send."""
    plans = ExplainedStatements()
    for doing, act in {**sweeps(house, size), **looks(house, size)}.items():
        if doing == "stats, much refused":
            refuse_much(house, size)
        with plans.of(house.keeper.engine.catalog.engine, doing):
            act()
    return plans


def check_sent(plans: ExplainedStatements) -> None:
    """Every named statement was sent by an act, or says why none sends it; each act sent what it is there for."""
    unsent = named_statements().keys() - set[str]().union(*plans.sent.values())
    modules = {name.partition(".")[0] for name in unsent}
    missing = {name for name in unsent if not {name, name.partition(".")[0]} & UNSENT.keys()}
    assert not missing, f"no act sends {missing}"
    assert not (needless := UNSENT.keys() - unsent - modules), f"acts send {needless}"
    for doing, names in SENDS.items():
        texts = " ".join(statement for did, statement in plans.found if did == doing)
        lacking = {name for name in names if name not in plans.sent[doing] and name not in texts}
        assert not lacking, f"{doing} does not send {lacking}"


def figures(small: ExplainedStatements, large: ExplainedStatements) -> str:
    """Return the buffers of the costliest statement of each act, in both catalogs."""
    rows: dict[str, list[int]] = {}
    for index, found in enumerate((small, large)):
        for (doing, _), plan in found.found.items():
            rows.setdefault(doing, [0, 0])[index] = max(rows.get(doing, [0, 0])[index], plan.buffers)
    lines = (f"{doing:30} {before:8} {after:8}" for doing, (before, after) in rows.items())
    return "\n".join([f"\n{'buffers at most, of a statement':30} {SMALL:8} {LARGE:8}", *lines, ""])


def test_no_statement_grows_with_the_catalog(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """None scans a table that grows with the artifacts, or uses three times the buffers of a catalog of 10⁴."""
    monkeypatch.setattr(recompute, "_PAGE", 100)
    monkeypatch.setattr(recomputing, "_NAMES_A_ROW", 2)  # a page has fewer names than a workflow in the small catalog
    monkeypatch.setattr(recompute, "IN_FOREGROUND", 1000)
    monkeypatch.setattr(access_times, "_SECONDS", 0.0)  # each read writes its time, however fast the machine is
    with opened(SMALL) as house:
        small = explained(house, SMALL)
    with opened(LARGE) as house:
        large = explained(house, LARGE)
        about = {tier.tier: tier for tier in house.keeper.tiers.stats()}
        exactly = {tier.tier: tier for tier in house.keeper.tiers.stats(exact=True)}
        [tenant] = [tier for tier in house.keeper.tiers.stats(tenant="tenant-1") if tier.tier == "hot"]
    assert len(large.found) > 250
    most = dict[str, int]()  # of what was done in the small catalog; a statement may be another one in a large catalog
    for (doing, _), plan in [*small.found.items(), *small.generic.items()]:
        most[doing] = max(most.get(doing, 0), plan.buffers)
    grown = []
    for kind, of_small, of_large in (
        ("its parameters", small.found, large.found),
        ("any parameters", small.generic, large.generic),
    ):
        for (doing, statement), plan in of_large.items():
            known = of_small.get((doing, statement))
            before = max(NOISE, most.get(doing, 0) if known is None else known.buffers)
            if not {doing, plan.name} & MAY_GROW.keys() and (plan.scanned or plan.buffers > GROWTH * before):
                grown.append(f"{doing}, for {kind}: {before} -> {plan}: {' '.join(statement.split())}")
    if LONG:
        sys.stdout.write(figures(small, large))
    assert not grown, "\n".join(grown)
    check_sent(large)
    assert not any(tier.exact for tier in about.values())
    assert all(tier.exact and tier.tenants is not None for tier in exactly.values())
    for name in ("hot", "warm"):
        assert about[name].present == pytest.approx(exactly[name].present, rel=0.2)
        assert (about[name].doomed, about[name].missed) == (exactly[name].doomed, exactly[name].missed)
    assert tenant.present == pytest.approx(LARGE / 20, rel=0.3)  # all of it lies in hot
