"""A worker that is stopped past its lease and wakes when another has done its work: it is fenced."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from faults import life, ward
from faults.crashing import When
from faults.ward import Ward
from integration.keeper.house import LEASES_END

from tierkeeper.embedded.postgres import Postgres
from tierkeeper_client.contract import SweepArgs, TaskName

CONTENT = b"what must not be lost"


@pytest.fixture(scope="module")
def shared(
    postgres_server: Postgres, catalog_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ward]:
    """One worker with two children: while one is stopped the other works."""
    with ward.wards(postgres_server, catalog_template, tmp_path_factory.mktemp("ward")) as opened:
        opened.house.policy(life.POLICY)
        opened.worker(concurrency=2)
        yield opened


@pytest.fixture
def pair(shared: Ward) -> Iterator[Ward]:
    """The ward, empty, with nobody ill."""
    yield shared
    shared.heal()
    shared.forget()
    shared.house.reset()


def stop_at(pair: Ward, step: str, when: When, task: TaskName, **message: object) -> int:
    """Send a message whose worker stops at the step; return the stopped process."""
    note = pair.order(step, when, "stop")
    pair.send(task, **message)  # type: ignore[arg-type]
    pair.wait_for(lambda: ward.stands(note), what=f"somebody to stop at {step}")
    return ward.struck(note)[0]


def wake(pair: Ward, stopped: int) -> None:
    """Let it go on, and wait until everything has ended."""
    os.kill(stopped, signal.SIGCONT)
    pair.quiet()


def only(pair: Ward, before: set[str]) -> bool:
    """Whether no messages are open but these."""
    return set(pair.open_messages()) <= before


def sweep_without(pair: Ward) -> None:
    """Let the others sweep, while one is stopped."""
    for task in (TaskName.ROTATE, TaskName.COLLECT) * 2:
        before = set(pair.open_messages())
        pair.send(task, SweepArgs())
        pair.wait_for(partial(only, pair, before), what=f"{task} by the others")
        pair.house.pass_time(LEASES_END)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["step_4_copy", "step_5_commit", "step_3_intend"])
def test_a_sweep_that_was_stopped(pair: Ward, step: str, when: When) -> None:
    """A sweep stopped in intend, copy or commit, done by another meanwhile: one move, one copy, nothing left."""
    pair.house.store("a", CONTENT, age=timedelta(days=8))
    stopped = stop_at(pair, f"converge.{step}", when, TaskName.ROTATE, args=SweepArgs())
    pair.house.pass_time(LEASES_END)
    sweep_without(pair)
    assert pair.house.tiers() == {"warm"}
    assert pair.house.read() == CONTENT
    wake(pair, stopped)
    assert pair.house.read() == CONTENT
    pair.settle()
    assert Counter(pair.house.events())["moved"] == 1
    assert ward.lying(pair.house) == {"warm": 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["step_3_write", "step_4_commit"])
def test_a_store_that_was_stopped(pair: Ward, step: str, when: When) -> None:
    """A store stopped in write or commit, whose intent was collected and which was delivered again: one version."""
    args = pair.house.args("a", CONTENT)
    stopped = stop_at(pair, f"ingest.{step}", when, TaskName.STORE, args=args, key="one")
    pair.house.pass_time(LEASES_END)
    sweep_without(pair)
    pair.house.keeper.store(args, call=pair.house.call())  # somebody else stores the same meanwhile
    wake(pair, stopped)
    pair.deliver(TaskName.STORE, args, key="one")
    assert pair.house.show("a").ref.version == 1
    assert pair.house.read() == CONTENT
    pair.settle(late=True)
    assert pair.house.events() == ["stored"]
    assert ward.lying(pair.house) == {"hot": 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["step_2_mark", "step_3_delete", "step_4_forget"])
def test_a_collect_that_was_stopped(pair: Ward, step: str, when: When) -> None:
    """A collect stopped in mark, delete or forget, repeated by another; the content comes back before it wakes."""
    pair.house.store("a", CONTENT, age=timedelta(days=8))
    pair.house.turn()
    stopped = stop_at(pair, f"collect.{step}", when, TaskName.COLLECT, args=SweepArgs())
    pair.house.pass_time(LEASES_END)
    sweep_without(pair)
    pair.house.store("b", CONTENT)  # in hot again, where the stopped one deletes
    wake(pair, stopped)
    assert pair.house.read("a") == pair.house.read("b") == CONTENT
    pair.settle()
    assert pair.house.tiers("b") == {"hot", "warm"}
    assert ward.lying(pair.house) == {"hot": 1, "warm": 1}
    collected = pair.house.sql("SELECT subject, count(*) AS n FROM events WHERE type = 'collected' GROUP BY subject")
    assert [row.n for row in collected] == [1] * len(collected)
