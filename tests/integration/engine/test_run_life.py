"""The life of a run: whatever ends a sweep ends its run, at once and with the reason."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House, OpenHouse

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogUnavailable
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import runs
from tierkeeper.engine import run_life
from tierkeeper.engine.recovery import accept as acceptance
from tierkeeper.engine.trust import epoch
from tierkeeper.values.artifacts import Filter
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.runs import RunView
from tierkeeper_client.texts import storable

WEEK = timedelta(days=8)


class Full(Exception):  # noqa: N818  it says what happened
    """The caller cannot show any more progress."""


def full(_done: int) -> None:
    """Show progress on a device that is full."""
    raise Full("no space left\non the caller's device")


def interrupted(_done: int) -> None:
    """Show progress to somebody who presses Ctrl-C."""
    raise KeyboardInterrupt


def collect(house: House, progress: ProgressCallback) -> None:
    """Delete what was purged."""
    house.store(age=WEEK)
    house.turn()
    house.keeper.sweeps.collect(progress=progress, caller=callers.BEAT)


def converge(house: House, progress: ProgressCallback) -> None:
    """Move what is due."""
    house.store(age=WEEK)
    run = house.keeper.sweeps.rotate(caller=callers.BEAT)
    assert run is not None
    house.keeper.sweeps.converge_due(run, progress=progress)


def verify(house: House, progress: ProgressCallback) -> None:
    """Read what there is."""
    house.store()
    house.keeper.sweeps.verify(filter=Filter(), progress=progress, caller=callers.BEAT)


def reconcile(house: House, progress: ProgressCallback) -> None:
    """Compare the catalog with the stores."""
    house.store()
    house.keeper.sweeps.reconcile(progress=progress, caller=callers.BEAT)


def dump(house: House, progress: ProgressCallback) -> None:
    """Dump the catalog."""
    house.keeper.recovery.dump(caller=TESTER, progress=progress)


def accept(house: House, progress: ProgressCallback) -> None:
    """Accept a catalog that is in doubt."""
    house.store()
    engine = house.keeper.engine
    epoch.recognise(engine.catalog, "it was put back", caller=TESTER)
    acceptance.accept(engine, caller=TESTER, reason="it is right", progress=progress)


def apply(house: House, progress: ProgressCallback) -> None:
    """Apply a stored plan."""
    house.store(age=WEEK)
    view = house.keeper.plans.view(tenant=None, as_of=None)
    plan = house.keeper.plans.store(view, caller=TESTER, expires=WEEK).id
    list(house.keeper.plans.apply(plan, caller=TESTER, progress=progress))


SWEEPS = {
    RunKind.COLLECT: collect,
    RunKind.ROTATE: converge,
    RunKind.VERIFY: verify,
    RunKind.RECONCILE: reconcile,
    RunKind.DUMP: dump,
    RunKind.REBUILD: accept,
    RunKind.APPLY: apply,
}


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    """A keeper that collects what is doomed at once."""
    return open_house(engine={"grace": "0s"})


def last(house: House, kind: RunKind) -> RunView:
    """Return the newest run of a kind."""
    return house.keeper.runs.latest(kind=kind)[0]


@pytest.mark.parametrize("kind", SWEEPS)
def test_an_error_ends_its_run_with_the_reason(house: House, kind: RunKind) -> None:
    """A sweep that an error leaves is failed at once, and its run says why in a line."""
    with pytest.raises(Full):
        SWEEPS[kind](house, full)
    run = last(house, kind)
    assert (run.state, run.reason) == (RunState.FAILED, "Full: no space left")
    assert run.finished_at is not None


def test_an_interrupt_ends_its_run(house: House) -> None:
    """Ctrl-C ends a run as failed, too: none that nobody works for stays at work."""
    with pytest.raises(KeyboardInterrupt):
        verify(house, interrupted)
    run = last(house, RunKind.VERIFY)
    assert (run.state, run.reason) == (RunState.FAILED, "it was interrupted (KeyboardInterrupt)")


def test_what_is_left_before_its_end_has_failed(house: House) -> None:
    """A plan whose items nobody asks for any more is given up at once, and may be applied again."""
    for name in "abc":
        house.store(name, name.encode(), age=WEEK)
    view = house.keeper.plans.view(tenant=None, as_of=None)
    plan = house.keeper.plans.store(view, caller=TESTER, expires=WEEK).id
    applied = house.keeper.plans.apply(plan, caller=TESTER)
    next(iter(applied))
    cast("Callable[[], None]", getattr(applied, "close"))()  # noqa: B009  an Iterator has none
    assert last(house, RunKind.APPLY).state is RunState.FAILED
    assert list(house.keeper.plans.apply(plan, caller=TESTER)) == []
    assert last(house, RunKind.APPLY).state is RunState.DONE


def test_the_next_rotation_need_not_wait_for_one_that_failed(house: House) -> None:
    """What a failed rotation left is taken up by the next one, without waiting for the failed one's silence."""
    with pytest.raises(Full):
        converge(house, full)
    house.store("b", b"another", age=WEEK)
    assert house.tiers("b") == {"hot"}
    house.turn()
    assert house.tiers("b") == {"warm"}


def test_a_dead_reconcile_is_not_at_work(house: House) -> None:
    """A reconcile that an error left keeps no other from beginning."""
    with pytest.raises(Full):
        reconcile(house, full)
    assert house.keeper.sweeps.reconcile_at_work() is None


def test_maintain_says_what_it_did_before_it_failed(house: House) -> None:
    """An error in the middle of the housekeeping is the run's reason; what was done before stands in its counts."""
    house.sql("ALTER TABLE plans RENAME TO plans_away")
    try:
        with pytest.raises(Exception, match="plans"):
            house.keeper.sweeps.maintain(caller=callers.BEAT)
    finally:
        house.sql("ALTER TABLE plans_away RENAME TO plans")
    run = last(house, RunKind.MAINTAIN)
    assert run.state is RunState.FAILED
    assert re.match(r"ProgrammingError: .*relation \"plans\" does not exist", run.reason)
    assert "\n" not in run.reason


def test_a_run_that_was_ended_stays_as_it_is(house: House) -> None:
    """A job that ends later than somebody else ended its run changes nothing of it."""
    catalog = house.keeper.engine.catalog

    def end(run: UUID | None) -> None:
        assert run is not None
        catalog.run(TESTER, runs.finish, run, RunState.ABANDONED)

    with run_life.running(catalog, RunKind.VERIFY, caller=TESTER) as work:
        end(work.run)
    assert last(house, RunKind.VERIFY).state is RunState.ABANDONED

    def ended_meanwhile() -> None:
        with run_life.running(catalog, RunKind.VERIFY, caller=TESTER) as work:
            end(work.run)
            full(1)

    with pytest.raises(Full):
        ended_meanwhile()
    run = last(house, RunKind.VERIFY)
    assert (run.state, run.reason) == (RunState.ABANDONED, "")


def test_the_error_of_the_work_is_the_one_that_is_raised(house: House) -> None:
    """Where the catalog is away, so that the run's end cannot be written, its absence hides no other error."""
    catalog = house.keeper.engine.catalog

    def without_runs() -> None:
        with run_life.running(catalog, RunKind.VERIFY, caller=TESTER):
            house.sql("ALTER TABLE runs RENAME TO runs_away")
            full(1)

    with pytest.raises(Full):
        without_runs()
    house.sql("ALTER TABLE runs_away RENAME TO runs")
    assert last(house, RunKind.VERIFY).state is RunState.RUNNING


def test_a_run_ends_when_its_catalog_is_back(house: House) -> None:
    """A catalog that restarts takes sweeps with it: their runs are failed as soon as it answers, not an hour later."""
    catalog = house.keeper.engine.catalog
    url = sa.make_url(catalog.engine.url)
    name = sa.sql.quoted_name(str(url.database), quote=True)
    admin = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")

    def admit(*, connections: bool) -> None:
        with admin.connect() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {connections}')
            if not connections:
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                connection.execute(sa.text(ended), {"name": name})

    back = threading.Timer(3.0, admit, kwargs={"connections": True})

    def while_away() -> None:
        with run_life.running(catalog, RunKind.VERIFY, caller=TESTER) as work:
            admit(connections=False)
            back.start()
            work.add({"verified": 1})

    try:
        with pytest.raises(CatalogUnavailable):
            while_away()
    finally:
        back.join()
        admin.dispose()
    run = last(house, RunKind.VERIFY)
    assert run.state is RunState.FAILED
    assert "not currently accepting connections" in run.reason


@pytest.mark.parametrize("told", ["a\0b", "a name \udcff", "half a pair \ud83d"])
def test_any_reason_can_be_stored(house: House, told: str) -> None:
    """What ended a run is written with it, also where PostgreSQL's text cannot hold it as it is."""

    def fail() -> None:
        with run_life.running(house.keeper.engine.catalog, RunKind.VERIFY, caller=TESTER):
            raise Full(told)

    with pytest.raises(Full):
        fail()
    run = last(house, RunKind.VERIFY)
    assert (run.state, run.reason) == (RunState.FAILED, f"Full: {storable(told)}")


def test_a_dry_run_leaves_no_run(house: House) -> None:
    """A dry run adds up what it would do, and records nothing."""
    with run_life.running(house.keeper.engine.catalog, RunKind.VERIFY, caller=TESTER, dry_run=True) as work:
        work.add({"verified": 2, "lost": 0}, size=7)
        work.heard()
    assert (work.result().counts, work.result().bytes) == ({"verified": 2}, 7)
    assert house.keeper.runs.latest(kind=RunKind.VERIFY) == []


def test_a_job_that_is_heard_from_is_not_abandoned(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long piece of work between two batches shows in the run that it goes on."""
    monkeypatch.setattr(run_life, "_HEARD_SECONDS", 0.0)
    catalog = house.keeper.engine.catalog
    with run_life.running(catalog, RunKind.DUMP, caller=TESTER) as work:
        house.sql("UPDATE runs SET seen_at = seen_at - interval '2 hours'")
        work.heard()
        assert catalog.run(TESTER, runs.abandon_silent, silence=timedelta(hours=1)) == 0
        house.sql("UPDATE runs SET seen_at = seen_at - interval '2 hours'")
        assert catalog.run(TESTER, runs.abandon_silent, silence=timedelta(hours=1)) == 1


def test_a_catalog_that_is_away_is_told_as_such(house: House) -> None:
    """A sweep that finds no catalog raises that, whatever happens to its run."""
    with (
        pytest.raises(CatalogUnavailable),
        run_life.running(house.keeper.engine.catalog, RunKind.VERIFY, caller=TESTER),
    ):
        raise CatalogUnavailable(reason="no answer")
    assert "no answer" in last(house, RunKind.VERIFY).reason
