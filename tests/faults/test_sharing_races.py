"""Content that is stored again while what had it is purged, collected or moved: real threads, real PostgreSQL."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from faults import life
from faults.ward import lying
from support import crashing
from support.crashing import Step, When
from support.house import LEASES_END, House
from support.scale import LONG, Scale

from tierkeeper.base.errors import AlreadyThere, ArtifactDeleted, ArtifactNotFound, ArtifactPurged, NotDeleted

CONTENT = b"shared by two"
WHENS: list[When] = ["before", "after"]
STEPS = crashing.of_workers()
OF_STORE = [step for step in STEPS if step.module.endswith(".ingest")]
OF_RIVALS = [step for step in STEPS if step.module.rpartition(".")[2] in {"converge", "collect", "verbs"}]
#: what is asked at random is often refused
REFUSED = (AlreadyThere, ArtifactDeleted, ArtifactNotFound, ArtifactPurged, NotDeleted)
PATIENCE = 30  # seconds; only a test that hangs feels it


def collect(house: House) -> None:
    """A doomed copy goes."""
    house.turn()
    house.collect()


def purge(house: House) -> None:
    """The only artifact that has the content is purged, for good."""
    house.purge("x")
    house.turn()
    house.collect()


def promote(house: House) -> None:
    """The only artifact that has the content moves to another tier."""
    house.promote("x", "cold")
    house.collect()


def collect_doomed(house: House) -> None:
    """The hot copy is doomed already, and goes."""
    house.collect()


RIVALS: dict[str, tuple[Callable[[House], object], Callable[[House], None]]] = {
    "move": (lambda house: house.store("x", CONTENT, age=timedelta(days=8)), collect),
    "purge": (lambda house: house.store("x", CONTENT), purge),
    "promote": (lambda house: house.store("x", CONTENT), promote),
    "collect": (lambda house: (house.store("x", CONTENT, age=timedelta(days=8)), house.turn()), collect_doomed),
}


@contextmanager
def paused(step: Step, when: When) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let the other thread stop at the step, once; yields (it is there, it may go on)."""
    there, go_on, main = threading.Event(), threading.Event(), threading.current_thread()

    def stop() -> None:
        if threading.current_thread() is not main and not there.is_set():
            there.set()
            assert go_on.wait(PATIENCE)

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever the step takes and gives
            if when == "before":
                stop()
            result = original(*args, **kwargs)
            if when == "after":
                stop()
            return result

        return wrapper

    with crashing.wrapped(step, wrap):
        try:
            yield there, go_on
        finally:
            go_on.set()


def race(house: House, step: Step, when: When, first: Callable[[], object], second: Callable[[], object]) -> bool:
    """Stop ``first`` at the step, do ``second`` meanwhile, let it go on. Returns whether it came by the step."""
    with ThreadPoolExecutor(1) as other, paused(step, when) as (there, go_on):
        running = other.submit(first)
        while not there.wait(0.01) and not running.done():
            pass
        came_by = there.is_set()
        second()
        go_on.set()
        running.result(PATIENCE)
    house.settle()
    assert house.read("y") == CONTENT
    assert house.tiers("y") >= {"hot"}
    assert house.events("y")[0] == "stored"
    assert max(lying(house).values()) == 1  # never two copies of one content in one tier
    return came_by


@pytest.mark.parametrize("rival", RIVALS)
def test_a_store_among_rivals(house: House, rival: str, chance: random.Random) -> None:
    """A store that stands at any of its steps while the rival does all of its work finds its content, or makes it."""
    house.policy(life.POLICY)
    prepare, act = RIVALS[rival]
    cases = [(step, when) for step in OF_STORE for when in WHENS]
    for step, when in cases if LONG else chance.sample(cases, 5):
        prepare(house)
        assert race(house, step, when, partial(house.store, "y", CONTENT), partial(act, house))
        house.reset()


@pytest.mark.parametrize("rival", RIVALS)
def test_a_rival_among_stores(house: House, rival: str, chance: random.Random) -> None:
    """A rival that stands at any of its steps while the content is stored takes nothing away from who stored it."""
    house.policy(life.POLICY)
    prepare, act = RIVALS[rival]
    cases = [(step, when) for step in OF_RIVALS for when in WHENS]
    met = 0
    for step, when in cases if LONG else chance.sample(cases, 12):
        prepare(house)
        met += race(house, step, when, partial(act, house), partial(house.store, "y", CONTENT))
        house.reset()
    assert met


def test_everybody_at_once(house: House, chance: random.Random, scale: Scale) -> None:
    """Eight threads store, purge, undelete, move and collect two contents under three names, as fast as they can."""
    house.policy(life.POLICY)
    contents, names, tiers = [b"one", b"two"], ["a", "b", "c"], ["hot", "warm", "cold"]

    def live(seed: int, barrier: threading.Barrier) -> None:
        own = random.Random(seed)  # noqa: S311  to be repeated, not to be secret
        acts: list[Callable[[], object]] = [
            lambda: house.store(own.choice(names), own.choice(contents), age=timedelta(days=own.choice([0, 8]))),
            lambda: house.purge(own.choice(names)),
            lambda: house.undelete(own.choice(names)),
            lambda: house.promote(own.choice(names), own.choice(tiers)),
            lambda: house.restore(own.choice(names), days=1),
            lambda: house.archive(own.choice(names)),
            house.collect,
            house.turn,
        ]
        barrier.wait(PATIENCE)
        for _ in range(6):
            try:
                own.choices(acts, weights=[5, 2, 1, 2, 1, 1, 3, 2])[0]()
            except REFUSED:
                continue

    for _ in range(scale(short=4, long=25)):
        barrier = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(live, chance.getrandbits(32), barrier) for _ in range(8)]:
                done.result(PATIENCE * 4)
        house.pass_time(LEASES_END)  # who left a copy to somebody else looks again a second later
        house.settle()
        house.reset()
