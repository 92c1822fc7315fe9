"""Scenario 1: workers that are killed again and again lose nothing, and do nothing twice."""

import random
from collections.abc import Mapping
from datetime import timedelta

import pytest
from faults import effects
from faults.crew import Crew, OpenCrew, items, kill
from support import invariants
from support.deployment import wait_for
from support.scale import Scale

from tierkeeper_client.contract import StoreArgs

OLD = timedelta(days=10)  # the default policy wants it in warm
SHARES = 20  # messages, at least
MOST = 250  # artifacts of one message
VICTIMS = ("child", "main", "group")


class Storm:
    """Kills and restarts, each when the work has come to a moment that chance chose."""

    def __init__(self, crew: Crew, chance: random.Random, *, kills: int, work: int) -> None:
        self._crew, self._chance = crew, chance
        self._moments = sorted(chance.randrange(work // 50, work) for _ in range(kills))
        self._victims = [VICTIMS[i % len(VICTIMS)] for i in range(kills)]
        chance.shuffle(self._victims)

    @property
    def over(self) -> bool:
        """Whether everything was killed that was to be."""
        return not self._moments

    def blow(self, progress: int) -> None:
        """Kill, if it is time; whoever is found gone is started again, as a supervisor does."""
        for name, worker in list(self._crew.workers.items()):
            if worker.status != "running":
                self._crew.hire(name)
        if self.over or progress < self._moments[0]:
            return
        self._moments.pop(0)
        name = self._chance.choice(sorted(self._crew.workers))
        worker = self._crew.workers[name]
        match self._victims.pop():
            case "child":
                kill(self._chance.choice(self._crew.children(worker) or [worker.pid]))
            case "main":
                kill(worker.pid)  # its children end when they see it, some after their task
                wait_for(lambda: worker.status != "running", timeout=10, what="a killed worker to be gone")
            case _:
                worker.kill()


@pytest.mark.slow
def test_kill_storm(open_crew: OpenCrew, scale: Scale, chance: random.Random) -> None:
    """Stored and tiered while children, mains and whole groups are killed: nothing is lost, no effect comes twice."""
    number, kills = scale(short=400, long=20_000), scale(short=3, long=40)
    crew = open_crew(settings={"TIERKEEPER_ENGINE__BATCH": str(min(200, number // SHARES))})
    sent = {f"part-{i:05}.bin": chance.randbytes(200 + i % 300) for i in range(number)}
    storm = Storm(crew, chance, kills=kills, work=2 * number)
    for name in ("first", "second"):
        crew.hire(name)
    crew.ready()
    messages = _messages(sent)
    for key, contents in messages.items():
        crew.client.store_many(contents, key=key)

    def stored() -> bool:
        done = crew.count("commands")
        storm.blow(done + crew.count("placements", "tier = 'warm'"))
        return done == number

    def again() -> None:
        crew.sweep()
        # producers who have no answer send their message again under the same key, and one who has does so too
        answered = {row.key for row in crew.house.sql("SELECT DISTINCT key FROM commands")}
        waiting = [key for key in messages if key not in answered]
        for key in [*chance.sample(waiting, min(3, len(waiting))), chance.choice(list(messages))]:
            crew.client.store_many(messages[key], key=key)

    crew.until(stored, meanwhile=again, what="everything to be stored", timeout=240)

    def tiered() -> bool:
        warm = crew.count("placements", "tier = 'warm'")
        storm.blow(number + warm)
        return warm == number and storm.over and crew.settled()

    crew.until(tiered, meanwhile=crew.sweep, what="everything to be in warm", timeout=240)
    effects.check_stored_once(crew, sent)
    effects.check_moved_once(crew, sent, tier="warm")
    invariants.check_settled(crew.keeper, reads=1000)


def _messages(sent: Mapping[str, bytes]) -> dict[str, list[StoreArgs]]:
    names = list(sent)
    share = min(MOST, max(1, len(names) // SHARES))
    return {
        f"message-{start}": items({name: sent[name] for name in names[start : start + share]}, age=OLD)
        for start in range(0, len(names), share)
    }
