"""The brake: a purge of too much stops before the first artifact, and an operator decides about it."""

from collections import Counter
from datetime import timedelta

import invariants
import pytest
from integration.keeper.house import House, OpenHouse

OLD = timedelta(days=100)
DRAFTS = "name: drafts\nmatch: {{workflow: reports}}\nphases: [{{after: 0d, in: [hot]}}, {{after: {days}d, in: []}}]\n"


@pytest.fixture
def braked(open_house: OpenHouse) -> House:
    """A keeper whose policies delete at most ten artifacts of a tenant a day."""
    return open_house(engine={"brake_share": 0, "brake_count": 10, "batch": 4})


def fill(house: House, count: int, *, prefix: str = "n", age: timedelta = OLD, **more: object) -> None:
    """Store so many artifacts of an age."""
    items = [house.args(f"{prefix}/{i}", f"{prefix} {i}".encode(), age=age, **more) for i in range(count)]
    for start in range(0, count, 500):
        house.keeper.store_many(items[start : start + 500], call=house.call())


def states(house: House, tenant: str = "acme") -> Counter[str]:
    """How many artifacts of a tenant are in each state."""
    rows = house.sql("SELECT state, count(*) AS n FROM artifacts WHERE tenant = :t GROUP BY state", t=tenant)
    return Counter({row.state: row.n for row in rows})


def test_as_many_as_the_limit_go(braked: House) -> None:
    """What reaches the limit exactly is deleted, and no run waits."""
    fill(braked, 10)
    assert braked.turn()["deleted"] == 10
    assert [run.kind.value for run in braked.keeper.runs()] == ["rotate", "recompute"]


def test_one_more_stops_before_the_first(braked: House) -> None:
    """One more than the limit, and nothing is deleted; one run awaits approval and says why."""
    fill(braked, 11)
    assert "deleted" not in braked.turn()
    assert states(braked) == {"live": 11}
    assert braked.turn() == {}
    (run,) = [r for r in braked.keeper.runs() if r.kind.value == "purge"]
    assert (run.state.value, run.counts["stopped"], run.arguments["limit"]) == ("awaiting approval", 11, 10)
    assert "delete 11 artifacts of acme" in run.reason
    assert run.arguments["policies"] == {"default v1": 11}
    assert len(run.arguments["samples"]) == 10
    invariants.check(braked.keeper)
