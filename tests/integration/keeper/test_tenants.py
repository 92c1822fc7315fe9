"""Two tenants in one catalog: what is asked of one counts, plans, moves and lists nothing of the other."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from support.callers import TESTER
from support.house import TENANT, House

from tierkeeper.base import callers
from tierkeeper.engine.plans.stored import Summary
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.parking import Sent, StuckFilter, StuckKind

OTHER = "other"
OLD = timedelta(days=8)  # due for warm
EVERYTHING = {"a", "b", "c"}
Names = Callable[[House, str | None], set[str]]


@pytest.fixture
def shared(house: House) -> House:
    """One artifact of ``acme``, two of ``other``, all due to move from hot to warm."""
    house.store("a", b"of acme", age=OLD)
    house.store("b", b"of another", age=OLD, tenant=OTHER)
    house.store("c", b"of another too", age=OLD, tenant=OTHER)
    return house


def hot(house: House) -> set[str]:
    """The names of the artifacts with a copy in hot, of every tenant."""
    return {view.ref.name for view in house.keeper.artifacts.select(Filter(tier="hot"))}


def planned(house: House, tenant: str | None) -> set[str]:
    """The names of the artifacts in a plan."""
    view = house.keeper.plans.view(tenant=tenant, as_of=None)
    return {item.ref.name for item in house.keeper.plans.items(view, Summary())}


def applied(house: House, tenant: str | None) -> set[str]:
    """The names of the artifacts that a stored plan moved."""
    view = house.keeper.plans.view(tenant=tenant, as_of=None)
    plan = house.keeper.plans.store(view, caller=TESTER, expires=timedelta(hours=1))
    list(house.keeper.plans.apply(plan.id, caller=TESTER))
    return EVERYTHING - hot(house)


def rotated(house: House, tenant: str | None) -> set[str]:
    """The names of the artifacts that a rotation moved."""
    run = house.keeper.sweeps.rotate(caller=callers.BEAT, tenant=tenant)
    assert run is not None
    house.keeper.sweeps.converge_due(run)
    return EVERYTHING - hot(house)


def parked_artifacts(house: House, tenant: str | None) -> set[str]:
    """The names of parked artifacts, where all are parked."""
    house.sql("UPDATE schedule SET parked_reason = 'given up'")
    found = house.keeper.parked.select(StuckFilter(tenant=tenant, kind=StuckKind.ARTIFACT))
    return {item.ref.name for item in found if item.ref is not None}


def parked_messages(house: House, tenant: str | None) -> set[str]:
    """The names in parked messages: one for each artifact."""
    for name in EVERYTHING:
        arguments = {"tenant": TENANT if name == "a" else OTHER, "workflow": "w", "name": name}
        house.keeper.deliveries.park(Sent("tierkeeper.purge", name, arguments), reason="given up")
    found = house.keeper.parked.select(StuckFilter(tenant=tenant, kind=StuckKind.DELIVERY))
    return {item.ref.name for item in found if item.ref is not None}


NAMES: dict[str, Names] = {
    "find": lambda house, tenant: {view.ref.name for view in house.keeper.artifacts.select(Filter(tenant=tenant))},
    "due": lambda house, tenant: {item.ref.name for item in house.keeper.plans.due(tenant=tenant)},
    "plan": planned,
    "apply": applied,
    "rotate": rotated,
    "events": lambda house, tenant: {
        e.name for e in house.keeper.events.select(tenant=tenant, type="stored") if e.name
    },
    "parked artifacts": parked_artifacts,
    "parked messages": parked_messages,
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize(
    ("tenant", "expected"), [(TENANT, {"a"}), (OTHER, {"b", "c"}), (None, EVERYTHING)], ids=["one", "other", "all"]
)
def test_only_the_tenants_own(shared: House, names: Names, tenant: str | None, expected: set[str]) -> None:
    """A list, a plan and a move are of the tenant that was asked for, and of all tenants where none was."""
    assert names(shared, tenant) == expected


@pytest.mark.parametrize(("tenant", "expected"), [(TENANT, 1), (OTHER, 2), (None, 3)], ids=["one", "other", "all"])
def test_only_the_tenants_own_are_counted(shared: House, tenant: str | None, expected: int) -> None:
    """Due artifacts, and the copies in each tier."""
    assert shared.keeper.sweeps.due(tenant=tenant) == expected
    (stats,) = [tier for tier in shared.keeper.tiers.stats(tenant=tenant) if tier.tier == "hot"]
    assert stats.present == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [(f"tenant: {TENANT}", 1), (f"tenant: {OTHER}", 2), ("workflow: reports", 3)],
    ids=["one", "other", "all"],
)
def test_a_policy_of_a_tenant_matches_its_artifacts(shared: House, match: str, expected: int) -> None:
    """An edit says how many artifacts its match fits."""
    policy = f"name: p\nmatch: {{{match}}}\nphases: [{{after: 0d, in: [hot]}}]"
    (change,) = shared.keeper.policies.apply(policy, source="p.yaml", caller=TESTER, dry_run=True)
    assert change.matched == expected


def test_nothing_due_of_a_tenant_begins_no_run(shared: House) -> None:
    """What is due for another tenant begins no run, and a run of another holds up none."""
    assert rotated(shared, TENANT) == {"a"}
    assert shared.keeper.sweeps.rotate(caller=callers.BEAT, tenant=TENANT) is None
    assert shared.keeper.sweeps.rotate(caller=callers.BEAT, tenant=OTHER) is not None
    shared.due(shared.show("a").id)
    assert shared.keeper.sweeps.rotate(caller=callers.BEAT, tenant=TENANT) is not None


def test_tenants_of_one_scope_share_their_copies(shared: House) -> None:
    """Statistics of a tenant are those of the scope in which equal content is one copy."""
    shared.sql("SET LOCAL session_replication_role = replica; UPDATE blobs SET scope = 'both'")
    shared.sql("UPDATE tenants SET scope = 'both'")
    (stats,) = [tier for tier in shared.keeper.tiers.stats(tenant=TENANT) if tier.tier == "hot"]
    assert stats.present == 3
