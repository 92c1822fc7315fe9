"""The same message at eight processes at once, and again when it is long done: the effect of one."""

from collections import Counter
from datetime import timedelta

import pytest
from faults import life, ward
from faults.ward import OpenWard, Ward
from support import invariants
from support.house import TENANT, WORKFLOW

from tierkeeper_client.contract import (
    ArchiveArgs,
    Message,
    PromoteArgs,
    PurgeArgs,
    RestoreArgs,
    StoreManyArgs,
    SweepArgs,
    TaskName,
    UndeleteArgs,
)

TOGETHER = 8
NAMED = {"tenant": TENANT, "workflow": WORKFLOW}
SETTINGS = {"TIERKEEPER_ENGINE__PARALLEL": "8", "TIERKEEPER_ENGINE__BATCH": "3"}  # all of them have something to do
POLICY = life.POLICY.replace("undo: 0d", "undo: 7d")


@pytest.fixture(scope="module")
def shared(open_ward: OpenWard) -> Ward:
    """One worker with eight children for all the tests of this file."""
    return open_ward(policy=POLICY, concurrency=TOGETHER, settings=SETTINGS)


def at_once(sick: Ward, task: TaskName, args: Message, *, key: str, step: str) -> None:
    """Deliver a message eight times, so that all of them are at the step at the same moment; then replay it."""
    note = sick.order(step, "before", "meet", always=True, together=TOGETHER)
    for _ in range(TOGETHER):
        sick.send(task, args, key=key)
    sick.wait_for(lambda: sick.ended() == TOGETHER, what=f"eight deliveries of {task}")
    assert len(set(ward.struck(note))) == TOGETHER, "they did not meet"
    sick.heal()
    before = told(sick)
    sick.deliver(task, args, key=key)
    assert told(sick) == before, "a replay changed something"


def told(sick: Ward) -> list[tuple[object, ...]]:
    """Every event, and every artifact's revision."""
    events = sick.house.sql("SELECT subject, revision, type FROM events ORDER BY subject, revision, type")
    rows = sick.house.sql("SELECT id, revision, state, version FROM artifacts ORDER BY id")
    return [tuple(row) for row in (*events, *rows)]


def test_a_store_at_eight_workers(sick: Ward) -> None:
    """Eight deliveries of one store make one version with one copy, whichever of them commits."""
    at_once(sick, TaskName.STORE, sick.house.args("a", force=True), key="one", step="ingest.step_4_commit")
    assert sick.house.show("a").ref.version == 1
    assert sick.house.events("a") == ["stored"]
    sick.settle()
    assert ward.lying(sick.house) == {"hot": 1}


def test_a_batch_at_eight_workers(sick: Ward) -> None:
    """The same of a batch, two of whose items share their content."""
    items = [sick.house.args("a", b"same"), sick.house.args("b", b"same"), sick.house.args("c", b"other")]
    at_once(sick, TaskName.STORE_MANY, StoreManyArgs(items=items), key="three", step="ingest.step_2_intend")
    assert {name: sick.house.events(name) for name in "abc"} == {name: ["stored"] for name in "abc"}
    sick.settle()
    assert ward.lying(sick.house) == {"hot": 2}


@pytest.mark.parametrize(
    ("task", "args", "event"),
    [
        (TaskName.PROMOTE, PromoteArgs(**NAMED, name="a", to_tier="cold"), "promoted"),
        (TaskName.ARCHIVE, ArchiveArgs(**NAMED, name="a"), "archived"),
        (TaskName.RESTORE, RestoreArgs(**NAMED, name="a", to_tier="cold", days=3), "restored"),
        (TaskName.PURGE, PurgeArgs(**NAMED, name="a"), "deleted"),
        (TaskName.UNDELETE, UndeleteArgs(**NAMED, name="a"), "undeleted"),
    ],
    ids=lambda value: value.value if isinstance(value, TaskName) else "",
)
def test_a_verb_at_eight_workers(sick: Ward, task: TaskName, args: Message, event: str) -> None:
    """Eight deliveries of one verb make one event and one wish, and at most one copy more."""
    sick.house.store("a")
    if task is TaskName.UNDELETE:
        sick.house.purge("a")
    at_once(sick, task, args, key="one", step="verbs.step_1_wish")
    assert Counter(sick.house.events("a"))[event] == 1
    sick.settle()
    tiers = ward.lying(sick.house)
    assert max(tiers.values()) == 1
    assert set(tiers) == sick.house.tiers("a") or task is TaskName.PURGE


def test_a_sweep_at_eight_workers(sick: Ward) -> None:
    """Eight rotations and eight collects of one population move each artifact once and delete each copy once."""
    count = 24
    names = [f"a{number}" for number in range(count)]
    for name in names:
        sick.house.store(name, name.encode(), age=timedelta(days=8))
    for task, step in ((TaskName.ROTATE, "converge.step_1_claim"), (TaskName.COLLECT, "collect.step_2_mark")):
        sick.order(step, "before", "meet", always=True, together=2)
        for _ in range(TOGETHER):
            sick.send(task, SweepArgs())
        sick.quiet()
        sick.heal()
    invariants.check_settled(sick.house.keeper)
    moved = sick.house.sql("SELECT subject, count(*) AS n FROM events WHERE type = 'moved' GROUP BY subject")
    assert [row.n for row in moved] == [1] * count
    assert sick.house.sql("SELECT count(*) AS n FROM events WHERE type = 'collected'")[0].n == count
    assert ward.lying(sick.house) == {"warm": count}
