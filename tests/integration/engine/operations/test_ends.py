"""What ends in the catalog and in staging, and that nothing ends that a message may still need."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.callers import TESTER
from support.canaries import come_through
from support.clocks import wrong
from support.house import TENANT, WORKFLOW, House, staged

from tierkeeper.audit.runs import StoppedCommand, StoppedReconcile
from tierkeeper.base.callers import Caller
from tierkeeper.base.states import ArtifactState, RunKind
from tierkeeper.catalog import runs
from tierkeeper.engine.gates import bulk
from tierkeeper.values.parking import Sent, StuckFilter
from tierkeeper_client.contract import PurgeArgs, Queue, StagedContent, TaskName

KEPT = "commands kept: a queue's canaries do not come"
PURGE = PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name="a")


def pass_days(house: House, days: int) -> None:
    """Make every command so much older."""
    house.sql("UPDATE commands SET at = at - make_interval(days => :days)", days=days)


def keys(house: House) -> set[str]:
    """The keys that the catalog remembers."""
    return {row.key for row in house.sql("SELECT key FROM commands")}


def undeleted(house: House) -> None:
    """An artifact was purged under the key ``purge``, and is back: a second delivery of the purge must do nothing."""
    house.keeper.artifacts.store(house.args(), caller=Caller("shop", key="store"))
    house.keeper.artifacts.purge(PURGE, caller=Caller("shop", key="purge"))
    house.undelete()


def delivered_again(house: House) -> ArtifactState:
    """The message of the purge comes once more; the state of the artifact after it."""
    house.keeper.artifacts.purge(PURGE, caller=Caller("shop", key="purge"))
    return house.show().state


def wait_for_ever(_house: House) -> None:
    """No canary ever came."""


def come_back(house: House) -> None:
    """The workers were away for forty days, and their first canaries come before what a dead one had taken."""
    come_through(house)
    house.sql("UPDATE heartbeats SET at = at - interval '40 days', counted_at = counted_at - interval '40 days'")
    come_through(house, begun=None)


def came_back_an_hour_ago(house: House) -> None:
    """A dead worker's messages are not all given out again yet."""
    come_through(house, begun=timedelta(hours=25))


def came_back_lately(house: House) -> None:
    """Within twice ``broker.visibility_timeout`` a dead worker's messages are not given out again."""
    come_through(house, begun=timedelta(minutes=119))


def stop(house: House) -> None:
    """The workers have been away for an hour."""
    come_through(house)
    house.sql("UPDATE heartbeats SET at = at - interval '1 hour', counted_at = counted_at - interval '1 hour'")


def miss_a_queue(house: House) -> None:
    """One queue has no worker."""
    come_through(house)
    house.sql("UPDATE heartbeats SET counted_at = counted_at - interval '1 hour' WHERE name = 'canary:purge'")


def lose_a_queue(house: House) -> None:
    """One queue never had a canary."""
    come_through(house)
    house.sql("DELETE FROM heartbeats WHERE name = 'canary:purge'")


def fall_behind(house: House) -> None:
    """The queues are a fortnight behind: what is in them was published when the command was young."""
    come_through(house, lag=timedelta(days=14))


def not_know(house: House) -> None:
    """Canaries come that nobody knows the time of."""
    come_through(house)
    house.keeper.health.canary(Queue.PURGE, sent_at=None)


def jump(house: House) -> None:
    """The clock of PostgreSQL was ahead when the last canary came."""
    come_through(house)
    house.sql("UPDATE heartbeats SET counted_at = counted_at + interval '40 days'")


def serve_before(house: House) -> None:
    """Workers of the release before take the canaries, which do not know of the series."""
    come_through(house)
    house.sql("UPDATE heartbeats SET counted_at = counted_at - interval '40 days', since = since - interval '40 days'")


#: what leaves unsure whether all messages have come, of commands and uploads alike
UNSURE = (wait_for_ever, come_back, stop, miss_a_queue, lose_a_queue, fall_behind, not_know, jump, serve_before)


def test_a_long_task_breaks_no_series(house: House) -> None:
    """What holds a queue up for half an hour each night, as a verify does, keeps no command for good."""
    come_through(house)
    [(before,)] = house.sql("SELECT since FROM heartbeats WHERE name = 'canary:maintenance'")
    house.sql("UPDATE heartbeats SET counted_at = counted_at - interval '30 minutes'")
    house.keeper.health.canary(Queue.MAINTENANCE, sent_at=datetime.now(UTC))
    [(after,)] = house.sql("SELECT since FROM heartbeats WHERE name = 'canary:maintenance'")
    assert after == before
    house.sql("UPDATE heartbeats SET counted_at = counted_at - interval '2 hours'")
    house.keeper.health.canary(Queue.MAINTENANCE, sent_at=datetime.now(UTC))
    [(after,)] = house.sql("SELECT since FROM heartbeats WHERE name = 'canary:maintenance'")
    assert after > before


@pytest.mark.parametrize("happens", [*UNSURE, came_back_an_hour_ago], ids=lambda happens: happens.__name__)
def test_a_repeated_delivery_finds_its_result_while_it_may_come(house: House, happens: object) -> None:
    """However old a command is, it does not end while its message may be in a queue or in a dead worker's hands."""
    undeleted(house)
    pass_days(house, 40)
    happens(house)  # type: ignore[operator]  # pytest's parameters have no type
    counts = house.keeper.sweeps.maintain(caller=TESTER).counts
    assert counts.get("commands ended", 0) == 0
    assert counts.get(KEPT, 0) == (happens is not fall_behind)
    assert delivered_again(house) is ArtifactState.LIVE


def upload(house: House, name: str | None = None, *, age: timedelta) -> Path:
    """A producer left this in staging so long ago, under the name of a whole upload unless another is given."""
    folder = Path(house.settings.staging.url.removeprefix("file://"))
    path = folder / staged(house, b"waits").name
    path = path if name is None else path.rename(folder / name)
    written(path, age)
    return path


def written(path: Path, age: timedelta) -> None:
    """The file was written so long ago."""
    then = (datetime.now(UTC) - age).timestamp()
    os.utime(path, (then, then))


@pytest.mark.parametrize("happens", [*UNSURE, came_back_lately], ids=lambda happens: happens.__name__)
def test_an_upload_stays_while_its_message_may_wait(house: House, happens: object) -> None:
    """Unclaimed, taken by another message, or partial: however old, none goes that a queue may have a message for."""
    shared = staged(house, b"of two messages")
    house.store("a", content=shared)
    kept = [upload(house, age=timedelta(days=3)), upload(house, "dead.part", age=timedelta(days=3))]
    kept.append(kept[0].parent / shared.name)
    house.keeper.sweeps.maintain(caller=TESTER)
    house.days_pass(10)  # the backlog of a week is not worked off yet
    happens(house)  # type: ignore[operator]  # pytest's parameters have no type
    for _ in range(2):
        counts = house.keeper.sweeps.maintain(caller=TESTER).counts
        assert counts.get("uploads deleted", 0) == 0
        assert counts.get("uploads kept: a queue's canaries do not come", 0) == (happens is not fall_behind)
    assert [path.exists() for path in kept] == [True, True, True]


def test_an_upload_that_no_message_claims_ends(house: House) -> None:
    """It is found after ``staging.ttl``, and deleted once the queues are past what a message of then may wait for."""
    unclaimed = upload(house, age=timedelta(hours=25))
    young, partial = upload(house, age=timedelta(hours=23)), upload(house, "dead.part", age=timedelta(hours=25))
    for gone in (False, False, True):
        come_through(house)
        counts = house.keeper.sweeps.maintain(caller=TESTER).counts
        assert (counts.get("uploads deleted", 0), unclaimed.exists()) == (int(gone), not gone)
        assert (partial.exists(), young.exists()) == (False, True)
        house.days_pass(4)


@pytest.mark.parametrize("same", [False, True], ids=["stored", "unchanged"])
def test_an_upload_that_was_taken_ends_after_its_time(house: House, same: bool) -> None:  # noqa: FBT001  a parameter of pytest
    """``staging.ttl`` after the answer, the queues being past that, also where its content was there already."""
    if same:
        house.store("a", content=b"waits")
    path = upload(house, age=timedelta(hours=1))
    house.store("a", content=StagedContent(name=path.name))
    for days, gone in ((0, False), (1.1, True)):
        house.days_pass(days)
        come_through(house)
        house.keeper.sweeps.maintain(caller=TESTER)
        assert path.exists() == (not gone)


@pytest.mark.parametrize("which", ["catalog", "machine"])
def test_a_clock_that_jumps_ends_no_upload(house: House, which: str) -> None:
    """One clock that is a month ahead during a maintain deletes nothing, nor does the maintain after it."""
    shared = staged(house, b"of two messages")
    house.store("a", content=shared)
    kept = [upload(house, age=timedelta(hours=1)), upload(house, "alive.part", age=timedelta(hours=1))]
    kept.append(kept[0].parent / shared.name)
    month = timedelta(days=30)
    with wrong(house, which, month):
        for path in kept:
            written(path, timedelta(hours=1) + (month if which == "catalog" else timedelta(0)))
        come_through(house)
        house.keeper.sweeps.maintain(caller=TESTER)
    for path in kept:
        written(path, timedelta(hours=1))
    come_through(house)
    house.keeper.sweeps.maintain(caller=TESTER)
    assert [path.exists() for path in kept] == [True, True, True]


def test_the_last_command_of_each_artifact_stays(house: House) -> None:
    """Commands end ``commands_kept`` after they were written, but for the last of each artifact."""
    undeleted(house)
    house.keeper.artifacts.store(house.args("b"), caller=Caller("shop", key="alone"))
    (undelete,) = keys(house) - {"store", "purge", "alone"}
    pass_days(house, 31)
    for key in ("unchanged", "unchanged again"):
        house.keeper.artifacts.store(house.args("b"), caller=Caller("shop", key=key))
    come_through(house)
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["commands ended"] == 2
    assert keys(house) == {undelete, "alone", "unchanged", "unchanged again"}
    assert "commands ended" not in house.keeper.sweeps.maintain(caller=TESTER).counts
    pass_days(house, 31)
    come_through(house)
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["commands ended"] == 2
    assert keys(house) == {undelete, "unchanged again"}
    assert house.keeper.artifacts.store(house.args("b"), caller=Caller("shop", key="unchanged again")).artifact


def test_a_command_of_all_versions_ends_with_the_next_of_all(house: House) -> None:
    """A command about several versions stays until one command about all of them is old enough."""
    for content in (b"1", b"2"):
        house.store(content=content)
    house.promote("a", "warm", all_versions=True)
    house.sql("UPDATE commands SET key = 'both' WHERE verb = 'promote'")
    house.promote("a", "cold", version=2)
    pass_days(house, 31)
    come_through(house)
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["commands ended"] == 2
    assert "both" in keys(house)
    house.promote("a", "warm", all_versions=True)
    pass_days(house, 31)
    come_through(house)
    house.keeper.sweeps.maintain(caller=TESTER)
    assert "both" not in keys(house)


@pytest.mark.parametrize("parked", [False, True], ids=["waits", "parked"])
def test_a_kept_message_keeps_its_commands(house: House, parked: bool) -> None:  # noqa: FBT001  a parameter of pytest
    """A batch that waits, or is parked, is sent again after any time: what it did already is not done once more."""
    undeleted(house)
    sent = Sent(TaskName.PURGE.value, "purge", {"tenant": TENANT}, {})
    if parked:
        house.keeper.deliveries.park(sent, reason="given up")
    else:
        house.keeper.deliveries.wait(sent, reason="its tier is away")
    pass_days(house, 40)
    come_through(house)
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["commands ended"] == 1
    assert delivered_again(house) is ArtifactState.LIVE


def test_a_message_that_was_skipped_ends(house: House) -> None:
    """A skipped message can be retried for ``commands_kept``, also one that the release before skipped."""

    def left() -> set[str]:
        house.keeper.sweeps.maintain(caller=TESTER)
        return {row.key for row in house.sql("SELECT key FROM deliveries")}

    for key in ("parked", "skipped", "before"):
        house.keeper.deliveries.park(Sent(TaskName.STORE.value, key, {}, {}), reason="given up")
    house.sql("UPDATE deliveries SET last_at = last_at - interval '1 year'")
    house.sql("UPDATE deliveries SET skipped_by = 'kim' WHERE key = 'before'")
    house.keeper.parked.skip(StuckFilter(item="skipped"), caller=TESTER)
    house.sql("UPDATE deliveries SET skipped_at = skipped_at - interval '29 days' WHERE key = 'skipped'")
    assert left() == {"parked", "skipped", "before"}
    house.sql("UPDATE deliveries SET skipped_at = skipped_at - interval '2 days'")
    assert left() == {"parked", "before"}
    house.sql("UPDATE deliveries SET skipped_at = skipped_at - interval '29 days'")
    assert left() == {"parked"}


def test_an_approval_that_was_not_asked_for_any_more_ends(house: House) -> None:
    """A command or reconcile that did not come again for ``runs_kept`` leaves no run that waits for good."""
    command = StoppedCommand(waits=bulk.WAITS_FOR_COMMAND, selection="all", reason="many", limit=1, samples=())
    kinds: dict[RunKind, runs.Arguments] = {
        RunKind.PURGE: command,
        RunKind.RECONCILE: StoppedReconcile(reason="many", findings={"left": 2}, samples=()),
    }
    waiting = {
        house.keeper.engine.catalog.run(
            TESTER,
            runs.await_approval,
            kind,
            actor="kim",
            tenant=TENANT,
            arguments=arguments,
            counts={"stopped": 2},
        )
        for kind, arguments in kinds.items()
    }
    house.sql("UPDATE runs SET seen_at = seen_at - interval '89 days'")
    house.keeper.sweeps.maintain(caller=TESTER)
    assert {row.id for row in house.sql("SELECT id FROM runs WHERE state = 'awaiting approval'")} == waiting
    house.sql("UPDATE runs SET seen_at = seen_at - interval '2 days'")
    assert house.keeper.sweeps.maintain(caller=TESTER).counts["approvals not asked for any more"] == 2
    assert house.sql("SELECT FROM runs WHERE state = 'awaiting approval'") == []
