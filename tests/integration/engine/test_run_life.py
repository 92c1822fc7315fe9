"""The life of a run: whatever ends a sweep ends its run, at once and with the reason."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, cast
from uuid import UUID

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House, OpenHouse

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogLimited, CatalogRestored, CatalogUnavailable, DeletesDisabled, SweepAtWork
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import runs
from tierkeeper.catalog.recomputing import RecomputeArguments, reaches_of
from tierkeeper.engine import run_life
from tierkeeper.engine.copies.transfer import Renewal
from tierkeeper.engine.operations import maintain
from tierkeeper.engine.recovery import accept as acceptance
from tierkeeper.engine.trust import epoch
from tierkeeper.policy.rules import Match
from tierkeeper.stores.errors import StoreTransient
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
    house.keeper.sweeps.require_no_reconcile()


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


@pytest.mark.parametrize("failing", maintain.JOBS, ids=lambda job: str(job.__name__))
def test_a_job_of_maintain_that_fails_stops_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch, failing: Callable[..., Iterator[Mapping[str, int]]]
) -> None:
    """A statement that takes too long is the error of one job: the others are done, and the run says why it failed."""
    done = []

    def slow(connection: sa.Connection) -> None:
        connection.execute(sa.text("SET LOCAL statement_timeout = 1"))
        connection.execute(sa.text("SELECT pg_sleep(1)"))

    def noted(job: Callable[..., Iterator[Mapping[str, int]]]) -> Callable[..., Iterator[Mapping[str, int]]]:
        @wraps(job)
        def run(*given: Any) -> Iterator[Mapping[str, int]]:  # noqa: ANN401  any arguments
            if job is failing:
                house.keeper.engine.catalog.run(TESTER, slow)
            yield from job(*given)
            done.append(job)

        return run

    monkeypatch.setattr(maintain, "JOBS", tuple(noted(job) for job in maintain.JOBS))
    with pytest.raises(CatalogLimited, match="statement_timeout"):
        house.keeper.sweeps.maintain(caller=TESTER)
    monkeypatch.undo()
    assert done == [job for job in maintain.JOBS if job is not failing]
    assert "statement timeout" in last(house, RunKind.MAINTAIN).reason
    assert last(house, RunKind.MAINTAIN).counts["jobs failed"] == 1


def test_a_run_that_was_ended_stays_as_it_is(house: House) -> None:
    """A job that ends later than somebody else ended its run changes nothing of it."""
    catalog = house.keeper.engine.catalog

    def end(run: UUID | None) -> None:
        assert run is not None
        catalog.run(TESTER, runs.finish, run, RunState.ABANDONED)

    with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER) as work:
        end(work.run)
    assert last(house, RunKind.VERIFY).state is RunState.ABANDONED

    def ended_meanwhile() -> None:
        with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER) as work:
            end(work.run)
            full(1)

    with pytest.raises(Full):
        ended_meanwhile()
    run = last(house, RunKind.VERIFY)
    assert (run.state, run.reason) == (RunState.ABANDONED, "")


def test_the_error_of_the_work_is_the_one_that_is_raised(house: House) -> None:
    """Where the catalog is away, so that the run's end cannot be written, its absence hides no other error."""

    def without_runs() -> None:
        with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER):
            house.sql("ALTER TABLE runs RENAME TO runs_away")
            full(1)

    with pytest.raises(Full):
        without_runs()
    house.sql("ALTER TABLE runs_away RENAME TO runs")
    assert last(house, RunKind.VERIFY).state is RunState.RUNNING


def test_a_run_ends_when_its_catalog_is_back(house: House) -> None:
    """A catalog that restarts takes sweeps with it: their runs are failed as soon as it answers, not an hour later."""
    url = sa.make_url(str(house.settings.catalog.url)).set(drivername="postgresql+psycopg")
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
        with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER) as work:
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
        with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER):
            raise Full(told)

    with pytest.raises(Full):
        fail()
    run = last(house, RunKind.VERIFY)
    assert (run.state, run.reason) == (RunState.FAILED, f"Full: {storable(told)}")


def test_a_dry_run_leaves_no_run(house: House) -> None:
    """A dry run adds up what it would do, and records nothing."""
    with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER, dry_run=True) as work:
        work.add({"verified": 2, "lost": 0}, size=7)
        work.heard()
    assert (work.result().counts, work.result().bytes) == ({"verified": 2}, 7)
    assert house.keeper.runs.latest(kind=RunKind.VERIFY) == []


def test_a_job_that_is_heard_from_is_not_abandoned(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long piece of work between two batches shows in the run that it goes on."""
    monkeypatch.setattr(run_life, "_HEARD_SECONDS", 0.0)
    catalog = house.keeper.engine.catalog
    with run_life.running(house.keeper.engine, RunKind.DUMP, caller=TESTER) as work:
        house.sql("UPDATE runs SET seen_at = seen_at - interval '2 hours'")
        work.heard()
        assert catalog.run(TESTER, run_life.end_silent) == 0
        house.sql("UPDATE runs SET seen_at = seen_at - interval '2 hours'")
        assert catalog.run(TESTER, run_life.end_silent) == 1


def test_a_rotation_that_waited_in_its_queue_is_taken_up(house: House) -> None:
    """Its messages came late, and another run took it for dead: it does what is due all the same, and ends as done."""
    house.store("a", age=timedelta(days=10))
    run = house.keeper.sweeps.rotate(caller=TESTER)
    assert run is not None
    house.sql("UPDATE runs SET seen_at = seen_at - interval '10 minutes'")
    house.keeper.sweeps.maintain(caller=TESTER)
    assert last(house, RunKind.ROTATE).state is RunState.ABANDONED
    house.keeper.sweeps.converge_due(run)
    assert house.tiers("a") == {"warm"}
    found = last(house, RunKind.ROTATE)
    assert (found.state, found.reason) == (RunState.DONE, "")


@pytest.mark.parametrize(("meanwhile", "works"), [("done", False), ("running", True)])
def test_a_run_that_another_message_ended_gets_no_more_work(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: str,
    works: bool,  # noqa: FBT001  a case
) -> None:
    """Of two messages that find their run abandoned, the later one works if the run is at work, not if it has ended."""
    house.store("a", age=timedelta(days=10))
    run = house.keeper.sweeps.rotate(caller=TESTER)
    assert run is not None
    house.sql("UPDATE runs SET state = 'abandoned' WHERE id = :id", id=run)
    read = runs.state_of

    def read_before(connection: sa.Connection, asked: UUID) -> object:
        found = read(connection, asked)
        house.sql("UPDATE runs SET state = :state WHERE id = :id", state=meanwhile, id=run)
        return found

    monkeypatch.setattr(runs, "state_of", read_before)
    house.keeper.sweeps.converge_due(run)
    assert house.tiers("a") == {"warm" if works else "hot"}


@pytest.mark.parametrize("hangs", [False, True])
def test_a_process_that_lives_keeps_its_run(house: House, monkeypatch: pytest.MonkeyPatch, hangs: bool) -> None:  # noqa: FBT001  a case
    """Within one long call the run is heard of all the same; not where there was no progress for hours."""
    monkeypatch.setattr(run_life, "_PULSE_SECONDS", 0.05)
    monkeypatch.setattr(run_life, "_longest_call", lambda _numbers: -1.0 if hangs else 3600.0)
    with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER):
        house.sql("UPDATE runs SET seen_at = seen_at - interval '1 hour'")
        time.sleep(0.5)
        [(old,)] = house.sql(
            "SELECT seen_at < clock_timestamp() - interval '30 minutes' FROM runs WHERE kind = 'verify'"
        )
    assert old is hangs


def test_a_longer_lease_of_an_item_is_no_hanging(open_house: OpenHouse) -> None:
    """What one copy may take by the settings, and half of that again, makes no process count as one that hangs."""
    house = open_house(engine={"lease_cap": "10h"})

    def renewed(hours: int) -> bool:
        with run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER) as work:
            house.sql("UPDATE runs SET seen_at = seen_at - interval '1 hour' WHERE id = :id", id=work.run)
            work._moved -= hours * 3600
            work.renew()
            fresh = "SELECT seen_at > clock_timestamp() - interval '30 minutes' FROM runs WHERE id = :id"
            return bool(house.sql(fresh, id=work.run)[0][0])

    assert [renewed(hours) for hours in (14, 16)] == [True, False]


@pytest.mark.parametrize("sweep", [verify, converge])
def test_progress_within_a_batch_is_progress_of_its_run(
    house: House, monkeypatch: pytest.MonkeyPatch, sweep: Callable[[House, ProgressCallback], None]
) -> None:
    """A batch of large copies, none of which is done, is no process that hangs."""
    monkeypatch.setattr(Renewal, "progressed", lambda self: self._renew())
    noted, progressed = list[run_life.Job](), run_life.Job.progressed

    def note(job: run_life.Job) -> None:
        noted.extend([] if job.counts else [job])
        progressed(job)

    monkeypatch.setattr(run_life.Job, "progressed", note)
    sweep(house, lambda _done: None)
    assert len(noted) > 1  # the sum of the batch is one itself


def test_what_a_killed_process_left_is_over_in_minutes(house: House) -> None:
    """A reconcile whose process was killed keeps others away for five minutes; then the next run says that it died."""
    killed = house.keeper.engine.catalog.run(TESTER, runs.begin, RunKind.RECONCILE, actor="a killed worker")
    with pytest.raises(SweepAtWork, match=str(killed)):
        house.keeper.sweeps.require_no_reconcile()
    house.pass_time(timedelta(minutes=5, seconds=1))
    house.keeper.sweeps.require_no_reconcile()
    house.keeper.sweeps.verify(caller=callers.BEAT, share=0.0)
    run = last(house, RunKind.RECONCILE)
    assert run.state is RunState.ABANDONED
    assert "not heard of for 5 minutes" in run.reason


def test_typed_errors_end_a_run_in_their_own_words(house: House) -> None:
    """What stops a sweep (deletes switched off, a catalog in doubt, a store) is its run's reason, as users read it."""
    for error in (
        DeletesDisabled(reason="a look first"),
        CatalogRestored(reason="its epoch is older"),
        StoreTransient(tier="warm", reason="it was reset"),
    ):
        with (
            pytest.raises(type(error)),
            run_life.running(house.keeper.engine, RunKind.COLLECT, caller=TESTER),
        ):
            raise error
        run = last(house, RunKind.COLLECT)
        assert (run.state, run.reason) == (RunState.FAILED, str(error))


def test_a_collect_that_may_not_delete_leaves_no_run_at_work(house: House) -> None:
    """With deletes switched off a collect says so, and nothing stands as running."""
    house.keeper.deletes.switch(enabled=False, reason="a look first", caller=TESTER)
    with pytest.raises(DeletesDisabled, match="a look first"):
        collect(house, lambda _done: None)
    assert not house.sql("SELECT FROM runs WHERE state = 'running'")


def test_a_recompute_that_fails_is_told_and_continued(house: House) -> None:
    """An error fails a recompute with the reason and stops no other one; the next recompute finishes both."""
    house.store(age=WEEK)
    catalog = house.keeper.engine.catalog
    arguments = RecomputeArguments(("p v1",), reaches_of([Match()]))
    first, second = (
        catalog.run(TESTER, runs.begin, RunKind.RECOMPUTE, actor="x", arguments=arguments) for _ in range(2)
    )
    house.sql("UPDATE runs SET arguments = arguments - 'reaches' - 'after' WHERE id = :id", id=first)
    with pytest.raises(KeyError, match="after"):
        house.keeper.sweeps.recompute()
    states = {run.id: (run.state, run.reason) for run in house.keeper.runs.latest(kind=RunKind.RECOMPUTE)}
    assert states[second] == (RunState.DONE, "")
    assert states[first][0] is RunState.FAILED
    assert "after" in states[first][1]
    house.sql(
        "UPDATE runs SET arguments = arguments || jsonb_build_object('after', CAST(:after AS text)) WHERE id = :id",
        id=first,
        after=str(UUID(int=0)),
    )
    house.keeper.sweeps.recompute()
    states = {run.id: (run.state, run.reason) for run in house.keeper.runs.latest(kind=RunKind.RECOMPUTE)}
    assert states[first] == (RunState.DONE, "")


def test_a_catalog_that_is_away_is_told_as_such(house: House) -> None:
    """A sweep that finds no catalog raises that, whatever happens to its run."""
    with (
        pytest.raises(CatalogUnavailable),
        run_life.running(house.keeper.engine, RunKind.VERIFY, caller=TESTER),
    ):
        raise CatalogUnavailable(reason="no answer")
    assert "no answer" in last(house, RunKind.VERIFY).reason
