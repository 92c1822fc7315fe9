"""A process that dies at any step of the engine, and replies that are lost: nothing is lost, nothing happens twice."""

from collections import Counter
from functools import partial

import pytest
from faults import life
from support import crashing
from support.crashing import OPERATED, Step, When
from support.house import LEASES_END, House
from support.scale import LONG, chance
from support.severed import severed_at_commit, unbelieved

# what an operator runs has crashes of its own: test_operator_crashes.py
STEPS = crashing.of_workers()


def test_the_steps_are_found() -> None:
    """Every step of the engine is met by one of the two files, and none is missing."""
    count = Counter(step.part for step in crashing.steps())
    assert count == {
        "approval": 2,
        "apply": 2,
        "collect": 4,
        "converge": 6,
        "detach": 5,
        "ingest": 5,
        "orphans": 4,
        "rebuild": 5,
        "verbs": 2,
    }
    assert count.keys() > set(OPERATED)


def test_the_life_takes_every_step(house: House) -> None:
    """The life that the crashes are tried on takes every step there is."""
    house.policy(life.POLICY)
    counted: Counter[Step] = Counter()
    told = life.parts(house, "calm", orphaned=True)
    with crashing.counting(counted):
        assert life.live(house, told) == 0
    life.check(house, "calm")
    house.settle()
    assert set(counted) == set(STEPS)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_crash_at_a_step(house: House, step: Step, when: When) -> None:
    """After a crash at any call of the step, leases end, the message comes again, and all ends as without it."""
    house.policy(life.POLICY)
    call, crashed = 1, True
    while crashed:
        tag = f"crash-{call}"
        told = life.parts(house, tag, orphaned=True)
        with crashing.crashing(step, when, call=call):
            crashed = life.live(house, told) == 1
        house.settle()
        life.check(house, tag)
        house.reset()
        call += 1
    assert call > 2  # it crashed at least once


def test_a_lost_reply_of_any_commit(house: House) -> None:
    """Whichever COMMIT's reply is lost, its unit finds out what it did: all ends as if the reply had come.

    The short form takes every third, from one by chance.
    """
    house.policy(life.POLICY)
    each = 1 if LONG else 3
    commit, lost = chance("lost replies").randint(1, each), True
    while lost:
        tag = f"lost-{commit}"
        told = life.parts(house, tag, orphaned=True)
        with severed_at_commit(house.keeper.engine.catalog, partial(unbelieved, house), commit=commit) as wires:
            assert life.live(house, told) == 0
        lost = bool(wires)
        house.pass_time(LEASES_END)
        house.settle()
        life.check(house, tag)
        house.reset()
        commit += each
    assert commit > 30
