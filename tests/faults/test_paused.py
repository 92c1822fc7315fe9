"""A worker that is stopped past its lease and wakes when another has done its work: it is fenced."""

import os
import signal
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from faults import ward
from faults.ward import OpenWard, Ward
from support.callers import TESTER
from support.crashing import When
from support.house import LEASES_END

from tierkeeper_client.contract import SweepArgs, TaskName

CONTENT = b"what must not be lost"


@pytest.fixture(scope="module")
def shared(open_ward: OpenWard) -> Ward:
    """One worker with two children: while one is stopped the other works."""
    return open_ward(concurrency=2)


def stop_at(sick: Ward, step: str, when: When, task: TaskName, **message: object) -> int:
    """Send a message whose worker stops at the step; return the stopped process."""
    note = sick.order(step, when, "stop")
    sick.send(task, **message)  # type: ignore[arg-type]
    sick.wait_for(lambda: ward.stands(note), what=f"somebody to stop at {step}")
    return ward.struck(note)[0]


def wake(sick: Ward, stopped: int) -> None:
    """Let it go on, and wait until everything has ended."""
    os.kill(stopped, signal.SIGCONT)
    sick.quiet()


def only(sick: Ward, before: set[str]) -> bool:
    """Whether no messages are open but these."""
    return set(sick.open_messages()) <= before


def sweep_without(sick: Ward) -> None:
    """Let the others sweep, while one is stopped."""
    for task in (TaskName.ROTATE, TaskName.COLLECT) * 2:
        before = set(sick.open_messages())
        sick.send(task, SweepArgs())
        sick.wait_for(partial(only, sick, before), what=f"{task} by the others")
        sick.house.pass_time(LEASES_END)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["step_4_copy", "step_5_commit", "step_3_intend"])
def test_a_sweep_that_was_stopped(sick: Ward, step: str, when: When) -> None:
    """A sweep stopped in intend, copy or commit, done by another meanwhile: one move, one copy, nothing left."""
    sick.house.store("a", CONTENT, age=timedelta(days=8))
    stopped = stop_at(sick, f"converge.{step}", when, TaskName.ROTATE, args=SweepArgs())
    sick.house.pass_time(LEASES_END)
    sweep_without(sick)
    assert sick.house.tiers() == {"warm"}
    assert sick.house.read() == CONTENT
    wake(sick, stopped)
    assert sick.house.read() == CONTENT
    sick.settle()
    assert Counter(sick.house.events())["moved"] == 1
    assert ward.lying(sick.house) == {"warm": 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["step_3_write", "step_4_commit"])
def test_a_store_that_was_stopped(sick: Ward, step: str, when: When) -> None:
    """A store stopped in write or commit, whose intent was collected and which was delivered again: one version."""
    args = sick.house.args("a", CONTENT)
    stopped = stop_at(sick, f"ingest.{step}", when, TaskName.STORE, args=args, key="one")
    sick.house.pass_time(LEASES_END)
    sweep_without(sick)
    sick.house.keeper.artifacts.store(args, caller=TESTER)  # somebody else stores the same meanwhile
    wake(sick, stopped)
    sick.deliver(TaskName.STORE, args, key="one")
    assert sick.house.show("a").ref.version == 1
    assert sick.house.read() == CONTENT
    sick.settle(late=True)
    assert sick.house.events() == ["stored"]
    assert ward.lying(sick.house) == {"hot": 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["step_2_mark", "step_3_delete", "step_4_forget"])
def test_a_collect_that_was_stopped(sick: Ward, step: str, when: When) -> None:
    """A collect stopped in mark, delete or forget, repeated by another; the content comes back before it wakes."""
    sick.house.store("a", CONTENT, age=timedelta(days=8))
    sick.house.turn()
    stopped = stop_at(sick, f"collect.{step}", when, TaskName.COLLECT, args=SweepArgs())
    sick.house.pass_time(LEASES_END)
    sweep_without(sick)
    sick.house.store("b", CONTENT)  # in hot again, where the stopped one deletes
    wake(sick, stopped)
    assert sick.house.read("a") == sick.house.read("b") == CONTENT
    sick.settle()
    assert sick.house.tiers("b") == {"hot", "warm"}
    assert ward.lying(sick.house) == {"hot": 1, "warm": 1}
    collected = sick.house.sql("SELECT subject, count(*) AS n FROM events WHERE type = 'collected' GROUP BY subject")
    assert [row.n for row in collected] == [1] * len(collected)
