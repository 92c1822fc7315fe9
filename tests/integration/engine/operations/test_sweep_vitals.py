"""Sweeps that fail, for whatever reason, and the last dump, as `health` shows them."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from support.callers import TESTER
from support.house import TENANT, House

from tierkeeper.base.states import RunKind
from tierkeeper.engine import run_life
from tierkeeper.engine.operations import health
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.health import Condition, Vital


def end(house: House, kind: RunKind, error: Exception | None = None) -> None:
    """A run of this kind, which the error ends."""
    with suppress(RuntimeError), run_life.running(house.keeper.engine, kind, caller=TESTER):
        if error is not None:
            raise error


def ago(house: House, duration: timedelta) -> None:
    """All runs until now were so long before."""
    moved = sa.text("UPDATE runs SET started_at = started_at - :by, finished_at = finished_at - :by")
    house.keeper.engine.catalog.run(TESTER, lambda connection: connection.execute(moved, {"by": duration}))


def vital(house: House, name: str) -> Vital:
    """One vital of now."""
    return house.keeper.health.check(tiers=False)[name]


def test_a_sweep_that_fails(house: House) -> None:
    """It is shown with its reason, bad once it failed for half a day, and gone with its success or after two days."""
    assert vital(house, "failed sweeps").condition is Condition.OK
    for kind in (RunKind.VERIFY, RunKind.COLLECT):
        end(house, kind)
    for kind in (RunKind.VERIFY, RunKind.PURGE):
        end(house, kind, RuntimeError("no such thing"))
    ago(house, timedelta(hours=13))
    found = vital(house, "failed sweeps")
    assert (found.condition, found.value) == (Condition.ATTENTION, 1)
    assert found.detail.startswith("verify, 13h")
    assert found.detail.endswith("ago: RuntimeError: no such thing")
    end(house, RunKind.VERIFY, RuntimeError("again"))
    found = vital(house, "failed sweeps")
    assert (found.condition, found.value) == (Condition.BAD, 1)
    assert found.detail.endswith("ago: RuntimeError: again")
    ago(house, timedelta(days=2))
    assert vital(house, "failed sweeps").condition is Condition.OK
    end(house, RunKind.VERIFY, RuntimeError("once more"))
    assert vital(house, "failed sweeps").value == 1
    end(house, RunKind.VERIFY)
    assert vital(house, "failed sweeps").value == 0


def test_a_success_with_a_part_hides_no_failure(house: House) -> None:
    """One artifact verified, one tier reconciled, one tenant's rotation: what fails for the whole fails on."""
    house.store("a", age=timedelta(days=400))
    for kind in (RunKind.VERIFY, RunKind.RECONCILE, RunKind.ROTATE):
        end(house, kind, RuntimeError("no such thing"))
    house.keeper.sweeps.verify(filter=Filter(tenant=TENANT), caller=TESTER)
    house.keeper.sweeps.reconcile(tiers=["hot"], caller=TESTER)
    run = house.keeper.sweeps.rotate(tenant=TENANT, caller=TESTER)
    assert run is not None
    house.keeper.sweeps.converge_due(run)
    done = house.sql("SELECT kind FROM runs WHERE state = 'done' AND kind <> 'recompute' ORDER BY kind")
    assert [row.kind for row in done] == ["reconcile", "rotate", "verify"]
    assert vital(house, "failed sweeps").value == 3
    house.keeper.sweeps.verify(share=1.0, caller=TESTER)
    house.keeper.sweeps.reconcile(caller=TESTER)
    assert vital(house, "failed sweeps").value == 1


def test_each_recompute_is_one_edits(house: House) -> None:
    """One that fails every five minutes, or whose worker was killed, is told until it is done, whatever another did."""
    end(house, RunKind.RECOMPUTE, RuntimeError("no such thing"))
    ago(house, timedelta(days=8))
    house.sql("UPDATE runs SET finished_at = now()")  # it was continued, and failed again
    end(house, RunKind.RECOMPUTE)
    found = vital(house, "failed sweeps")
    assert (found.condition, found.value) == (Condition.BAD, 1)
    house.sql("UPDATE runs SET state = 'running', finished_at = NULL, arguments = '{}' WHERE state = 'failed'")
    assert vital(house, "failed sweeps").value == 0  # a worker has it
    house.sql("UPDATE runs SET seen_at = now() - interval '61 minutes' WHERE state = 'running'")
    found = vital(house, "failed sweeps")
    assert (found.condition, found.value) == (Condition.BAD, 1)
    assert "no worker has continued it" in found.detail
    house.sql("UPDATE runs SET state = 'done', finished_at = now()")
    assert vital(house, "failed sweeps").value == 0


def test_a_success_of_the_future_hides_no_failure(house: House) -> None:
    """A run that a clock which was ahead began is no last one, of a sweep and of the dumps."""
    end(house, RunKind.DUMP)
    ago(house, -timedelta(days=1))
    assert vital(house, "dump").value is None
    end(house, RunKind.DUMP, RuntimeError("no such thing"))
    assert vital(house, "failed sweeps").value == 1


def test_the_last_dump(house: House) -> None:
    """Its age is a value; none for two days, an old one and one that failed since ask for a look."""
    found = vital(house, "dump")
    assert (found.condition, found.value) == (Condition.OK, None)
    house.sql("UPDATE policies SET active_from = active_from - interval '3 days'")
    found = vital(house, "dump")
    assert (found.condition, found.value) == (Condition.ATTENTION, None)
    assert "none was made" in found.detail
    house.keeper.recovery.dump(caller=TESTER)
    found = vital(house, "dump")
    assert (found.condition, found.detail) == (Condition.OK, "")
    assert found.value is not None
    assert found.value < 60
    ago(house, timedelta(days=1))
    end(house, RunKind.DUMP, RuntimeError("no such thing"))
    found = vital(house, "dump")
    assert found.condition is Condition.ATTENTION
    assert found.detail.startswith("the last one failed")
    assert found.detail.endswith("no such thing")
    assert found.value is not None
    assert found.value > 86_000
    ago(house, timedelta(days=3))
    assert vital(house, "dump").detail.startswith("the last one was made 4d")


def test_where_no_tier_keeps_dumps(house: House) -> None:
    """Health names what is missing, and no command that cannot do it."""
    engine = house.keeper.engine
    records = [tier for tier in engine.tiers if tier.is_database]
    assert records
    found = health.health(replace(engine, tiers=records), tiers=False)["dump"]
    assert found.condition is Condition.ATTENTION
    assert "no tier can keep one" in found.detail
