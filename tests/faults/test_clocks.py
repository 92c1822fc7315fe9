"""Workers whose clocks are a day wrong, in other time zones: decisions and leases are PostgreSQL's."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults import ward
from faults.clocks import shifted
from faults.ward import Ward
from support import invariants
from support.house import LEASES_END, TENANT, WORKFLOW

from tierkeeper.embedded.postgres import Postgres
from tierkeeper_client.contract import PurgeArgs, RestoreArgs, SweepArgs, TaskName

POLICY = """
name: clocks
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}, {after: 30d, in: []}]
undo: 1d
"""
HOURS = timedelta(hours=1)


@pytest.fixture(
    params=[("+24h", "Pacific/Kiritimati"), ("-24h", "Pacific/Pago_Pago")], ids=["a day ahead", "a day behind"]
)
def wrong(
    request: pytest.FixtureRequest, postgres_server: Postgres, catalog_template: str, tmp_path: Path
) -> Iterator[Ward]:
    """A worker whose clock and time zone are wrong."""
    offset, zone = request.param
    with ward.wards(postgres_server, catalog_template, tmp_path) as opened:
        opened.house.policy(POLICY)
        opened.worker(concurrency=2, env={**shifted(offset), "TZ": zone})
        yield opened


def test_a_day_wrong(wrong: Ward) -> None:
    """Nothing is moved, deleted or purged early or late, and nothing is created in another time than the catalog's."""
    house = wrong.house
    ages = {"new": 0 * HOURS, "young": 6.5 * 24 * HOURS, "due": 7.1 * 24 * HOURS, "old": 30.1 * 24 * HOURS}
    for name, age in ages.items():
        # a producer that gives no time: the worker's own clock must not decide
        args = house.args(name, name.encode(), age=age or None)
        wrong.deliver(TaskName.STORE, args)
    created = house.show("new").created_at
    assert abs(datetime.now(UTC) - created) < HOURS
    believed = [json.loads(line)["at"] for line in wrong.workers[0].logs().splitlines() if b'"task done"' in line]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(believed[-1])) > 23 * HOURS, "its clock is right"
    wrong.sweep()
    assert {name: house.tiers(name) for name in ages} == {
        "new": {"hot"},
        "young": {"hot"},  # a day ahead it would be seven days and a half
        "due": {"warm"},  # a day behind it would be six
        "old": {"hot"},  # deleted, and frozen until its undo window ends
    }
    assert [house.show(name).state for name in ages] == ["live", "live", "live", "deleted"]
    wrong.deliver(TaskName.PURGE, PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name="new"))
    wrong.deliver(TaskName.RESTORE, RestoreArgs(tenant=TENANT, workflow=WORKFLOW, name="due", days=1))

    house.pass_time(12 * HOURS)
    wrong.sweep()
    assert [house.show(name).state for name in ages] == ["deleted", "live", "live", "deleted"]
    assert house.read("new", deleted=True) == b"new"
    assert house.tiers("due") == {"hot", "warm"}

    house.pass_time(13 * HOURS)
    wrong.sweep()
    assert [house.show(name).state for name in ages] == ["purged", "live", "live", "purged"]
    assert house.tiers("due") == house.tiers("young") == {"warm"}
    wrong.settle()
    told = {name: Counter(house.events(name)) for name in ages}
    assert [told[name]["purged"] for name in ages] == [1, 0, 0, 1]
    assert [told[name]["deleted"] for name in ages] == [1, 0, 0, 1]
    invariants.check_settled(house.keeper)


def test_a_lease_is_not_over_for_who_is_ahead(wrong: Ward) -> None:
    """What one child has leased is left to it by the other, whatever the clock says, until the lease is over."""
    house = wrong.house
    house.store("a", age=8 * 24 * HOURS)
    note = wrong.order("converge.step_4_copy", "after", "stop")
    wrong.send(TaskName.ROTATE, SweepArgs())
    wrong.wait_for(lambda: ward.stands(note), what="the first one to stop in its copy")
    [stopped] = ward.struck(note)

    def by_the_other() -> None:
        before = set(wrong.open_messages())
        wrong.send(TaskName.COLLECT, SweepArgs())
        wrong.send(TaskName.ROTATE, SweepArgs())
        wrong.wait_for(lambda: set(wrong.open_messages()) <= before, what="the other one's sweeps")

    by_the_other()
    assert house.tiers("a") == {"hot"}, "somebody else's lease was taken"
    house.pass_time(LEASES_END)
    by_the_other()
    assert house.tiers("a") == {"warm"}
    os.kill(stopped, signal.SIGCONT)
    wrong.quiet()
    wrong.settle()
    assert Counter(house.events("a"))["moved"] == 1
    assert ward.lying(house) == {"warm": 1}
