"""What the tests of the brake share: many old artifacts, and what became of them."""

from collections import Counter
from datetime import timedelta

from support.callers import TESTER
from support.house import House
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.values.runs import RunView

OLD = timedelta(days=100)
DRAFTS = "name: drafts\nmatch: {{workflow: reports}}\nphases: [{{after: 0d, in: [hot]}}, {{after: {days}d, in: []}}]\n"


def fill(house: House, count: int, *, prefix: str = "n", age: timedelta = OLD, **more: object) -> None:
    """Store so many artifacts of an age."""
    items = [house.args(f"{prefix}/{i}", f"{prefix} {i}".encode(), age=age, **more) for i in range(count)]
    for start in range(0, count, 500):
        house.keeper.artifacts.store_many(items[start : start + 500], caller=TESTER)


def states(house: House, tenant: str = "acme") -> Counter[str]:
    """How many artifacts of a tenant are in each state."""
    rows = house.sql("SELECT state, count(*) AS n FROM artifacts WHERE tenant = :t GROUP BY state", t=tenant)
    return Counter({row.state: row.n for row in rows})


def waiting(house: House) -> RunView:
    """The one run that awaits an approval."""
    (run,) = [r for r in house.keeper.runs.latest(kind=RunKind.PURGE) if r.state is RunState.AWAITING_APPROVAL]
    return run


def said(run: RunView) -> tuple[str, str]:
    """Who decided about a run, and why."""
    assert run.approval is not None
    return run.approval["by"], run.approval["reason"]
