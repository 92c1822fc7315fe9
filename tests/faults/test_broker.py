"""Scenarios 2 and 3: the broker is only a hint. It loses everything, or stops answering in every way there is."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
from faults import effects
from faults.crew import Crew, OpenCrew, items
from support import invariants
from support.nodes import Valkey
from support.proxy import FaultProxy, in_front_of
from support.scale import Scale

from tierkeeper.base.callers import Caller
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import TaskName
from tierkeeper_client.errors import BrokerUnavailable

OLD = timedelta(days=10)  # the default policy wants it in warm
#: seconds in which a producer hears that the broker is away: two tries of two seconds each, and a margin
PRODUCER_PATIENCE = 10.0
#: seconds after which a worker works again once its broker is back: a dead connection is noticed after its socket's
#: time-out (10), and where all its connections died in silence, one after the other is: measured 32
RECOVERY = 60.0

Fault = Callable[[FaultProxy], None]
FAULTS: dict[str, Fault] = {
    "half open": FaultProxy.halve,
    "silent": FaultProxy.silence,
    "frozen": FaultProxy.freeze,
    "down": FaultProxy.refuse,
}


def fill(crew: Crew, number: int, chance: random.Random, *, called: str = "part") -> dict[str, bytes]:
    """Store so many artifacts that are due to move, without any message."""
    sent = {f"{called}-{i:05}.bin": chance.randbytes(100 + i % 50) for i in range(number)}
    names = list(sent)
    for start in range(0, number, 500):
        share = {name: sent[name] for name in names[start : start + 500]}
        crew.keeper.artifacts.store_many(items(share, age=OLD), caller=Caller("tester", key=f"{called} {start}"))
    return sent


@pytest.mark.slow
def test_broker_wiped(open_crew: OpenCrew, valkey: Valkey, scale: Scale, chance: random.Random) -> None:
    """The broker forgets everything, queues and bindings too, again and again: every open item is finished, once."""
    number = scale(short=200, long=10_000)
    crew = open_crew(settings={"TIERKEEPER_ENGINE__BATCH": str(number // 20)})
    sent = fill(crew, number, chance)
    moments = sorted(chance.randrange(number) for _ in range(scale(short=3, long=8)))
    with redis.Redis.from_url(valkey.url) as broker:

        def wipe() -> None:
            broker.flushall()
            assert broker.dbsize() == 0

        crew.sweep()
        assert broker.dbsize() > 0
        wipe()  # what was sent is lost before a worker begins
        crew.hire()
        crew.ready()
        wipe()  # and what the worker declared, and what producers know of it

        def moved() -> bool:
            done = crew.count("placements", "tier = 'warm' AND state = 'present'")
            while moments and done >= moments[0]:
                moments.pop(0)
                broker.flushall()
            return done == number and crew.settled()

        crew.until(moved, meanwhile=crew.sweep, what="everything to be in warm", timeout=120)
    assert not moments
    effects.check_stored_once(crew, sent)
    effects.check_moved_once(crew, sent, tier="warm")
    invariants.check_settled(crew.keeper, reads=1000)


def test_producer_fails_in_seconds(valkey: Valkey) -> None:
    """Whichever way the broker is away, sending fails with a typed error in seconds, and works when it is back."""

    def tried(fault: Fault) -> tuple[float, float]:
        with in_front_of(("127.0.0.1", valkey.port)) as proxy, TierkeeperClient(url_of(proxy)) as client:
            client.send(TaskName.ROTATE)
            fault(proxy)
            if fault is FaultProxy.halve:  # else a new connection would do
                proxy.deaf = True
            started = time.monotonic()
            with pytest.raises(BrokerUnavailable):
                client.send(TaskName.ROTATE)
            failed = time.monotonic() - started
            proxy.heal()
            started = time.monotonic()
            client.send(TaskName.ROTATE)
            return failed, time.monotonic() - started

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        seconds = dict(zip(FAULTS, pool.map(tried, FAULTS.values()), strict=True))
    assert all(max(both) < PRODUCER_PATIENCE for both in seconds.values()), seconds
    with redis.Redis.from_url(valkey.url) as broker:
        waiting = broker.llen("transition")
    # one before and at least one after each; what was sent while a fault held may have come through afterwards
    assert 2 * len(FAULTS) <= waiting <= 3 * len(FAULTS)


@pytest.mark.slow
def test_worker_outlives_a_hanging_broker(
    open_crew: OpenCrew, valkey: Valkey, scale: Scale, chance: random.Random
) -> None:
    """After each fault of its broker a worker goes on by itself within seconds; a flapping one loses nothing."""
    with in_front_of(("127.0.0.1", valkey.port)) as proxy, TierkeeperClient(valkey.url, valkey.url) as direct:
        crew = open_crew(broker=url_of(proxy))
        worker = crew.hire()
        crew.ready()
        pid = worker.pid
        took: dict[str, float] = {}
        chosen = chance.sample(sorted(FAULTS), scale(short=1, long=len(FAULTS)))
        for number, name in enumerate([*chosen, "flapping"]):
            fill(crew, 20, chance, called=f"after-{number}")
            if name == "flapping":
                flap(proxy, chance, times=scale(short=5, long=30))
            else:
                FAULTS[name](proxy)
                if name != "half open":  # there, new connections work at once
                    time.sleep(scale(short=1, long=6))
                proxy.heal()

            def moved(all_of_them: int = 20 * (number + 1)) -> bool:
                return crew.count("placements", "tier = 'warm'") == all_of_them

            def sweep() -> None:
                direct.send(TaskName.ROTATE)

            took[name] = crew.until(moved, meanwhile=sweep, what=f"work after: {name}", timeout=RECOVERY)
        assert worker.pid == pid
        assert worker.status == "running"
        crew.until(crew.settled, meanwhile=crew.sweep, what="the rest")
    invariants.check_settled(crew.keeper)


def flap(proxy: FaultProxy, chance: random.Random, *, times: int) -> None:
    """Reset, refuse and let go on, in quick succession."""
    for _ in range(times):
        chance.choice([proxy.reset, proxy.refuse, proxy.freeze])()
        time.sleep(chance.uniform(0.02, 0.3))
        proxy.heal()
        time.sleep(chance.uniform(0.02, 0.3))


def url_of(proxy: FaultProxy) -> str:
    """Return the broker's URL through the proxy."""
    return f"redis://127.0.0.1:{proxy.port}/0"
