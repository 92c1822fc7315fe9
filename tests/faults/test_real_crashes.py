"""A worker process that dies, fails or loses its catalog at any step: nothing is lost, nothing happens twice."""

from collections.abc import Callable
from pathlib import Path

import pytest
from faults import life, ward
from faults.ward import How, OpenWard, Ward
from support import crashing
from support.crashing import Step, When
from support.scale import LONG, chance

STEPS = crashing.of_workers()
KINDS: list[How] = ["crash", "error", "drop"]
WHENS: list[When] = ["before", "after"]
CASES = [(step, when, how) for how in KINDS for step in STEPS for when in WHENS]
#: the short form tries some of them, others with another seed
FAILING = CASES if LONG else chance("failing steps").sample(CASES, 5)
#: a step that is struck at each of its calls is tried more often than a parked artifact would allow
SETTINGS = {"TIERKEEPER_ENGINE__ATTEMPTS": "50"}


@pytest.fixture(scope="module")
def shared(open_ward: OpenWard) -> Ward:
    """One ward with one worker for all the tests of this file."""
    return open_ward(settings=SETTINGS)


def live(sick: Ward, tag: str, order: Callable[[], Path], *, every: bool) -> int:
    """Live the life by messages; who was struck is sent again when its silence is over. Returns how often.

    ``every``: each part that takes the step is struck, else only the first one.
    """
    strikes, note = 0, None
    for part in life.parts(sick.house, tag, orphaned=True):
        if note is None or (every and ward.struck(note)):
            note = order()
        before = len(ward.struck(note))
        sick.deliver(part.task, part.args, key=part.key)
        if len(ward.struck(note)) > before:
            strikes += 1
            sick.house.pass_time(life.SILENCE_ENDS)
            sick.deliver(part.task, part.args, key=part.key)
    sick.heal()
    sick.settle()
    life.check(sick.house, tag)
    return strikes


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_killed_worker(sick: Ward, step: Step, when: When) -> None:
    """A child that is gone at once at a step: the message comes again, the sweep recovers, effects are had once."""
    strikes = live(sick, "killed", lambda: sick.order(step, when), every=LONG)
    assert strikes >= 1


@pytest.mark.parametrize(("step", "when", "how"), FAILING)
def test_a_failing_step(sick: Ward, step: Step, when: When, how: How) -> None:
    """What kills no process, an exception or a lost connection at a step, leaves no more behind."""
    strikes = live(sick, f"failing-{how}", lambda: sick.order(step, when, how), every=True)
    assert strikes >= 1
