"""A worker of threads that store together is killed again and again: each message is stored once."""

import random
from datetime import timedelta

import pytest
from faults import effects
from faults.crew import TENANT, WORKFLOW, OpenCrew, kill
from support import invariants
from support.deployment import wait_for
from support.scale import Scale

THREADS = 12
OLD = timedelta(days=10)  # the default policy wants it in warm


@pytest.mark.slow
def test_leaders_are_killed(open_crew: OpenCrew, scale: Scale, chance: random.Random) -> None:
    """Whatever a batch had done when its process ended: what was sent is there once, in one version, told once."""
    number, kills = scale(short=300, long=6000), scale(short=3, long=30)
    crew = open_crew()
    sent = {f"part-{i:05}.bin": chance.randbytes(100 + i % 300) for i in range(number)}
    moments = sorted(chance.randrange(number // 50, number) for _ in range(kills))
    crew.hire("ingest", concurrency=THREADS, pool="threads")
    crew.ready()

    def send(name: str) -> None:
        crew.client.store(sent[name], tenant=TENANT, workflow=WORKFLOW, name=name, key=f"key-{name}", force=True)

    for name in sent:
        send(name)

    def stored() -> bool:
        worker = crew.workers["ingest"]
        done = crew.count("commands")
        if moments and done >= moments[0]:
            moments.pop(0)
            kill(worker.pid)
            wait_for(lambda: worker.status != "running", timeout=10, what="a killed worker to be gone")
        if worker.status != "running":
            crew.hire("ingest", concurrency=THREADS, pool="threads")
        return done == number and not moments

    def again() -> None:
        # producers who have no answer send their message again under the same key, and one who has does so too
        answered = {row.key.removeprefix("key-") for row in crew.house.sql("SELECT key FROM commands")}
        waiting = [name for name in sent if name not in answered]
        for name in [*chance.sample(waiting, min(20, len(waiting))), chance.choice(list(sent))]:
            send(name)

    crew.until(stored, meanwhile=again, what="everything to be stored", timeout=240)
    effects.check_stored_once(crew, sent)
    together = crew.house.sql("SELECT count(*) AS number FROM events WHERE type = 'stored' GROUP BY at")
    assert max(row.number for row in together) > 1, "none was stored with another one"
    crew.hire("others")
    crew.ready()
    crew.until(crew.settled, meanwhile=crew.sweep, what="nothing to be left", timeout=120)
    invariants.check_settled(crew.keeper, reads=500)
