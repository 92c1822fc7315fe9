"""Nobody sends the sweeps for two days, then three Beats do at once: all is done, and once."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from faults import ward
from faults.clocks import shifted
from faults.ward import Ward
from support import invariants
from support.processes import LocalProcess

from tierkeeper.base.states import ArtifactState
from tierkeeper.embedded.postgres import Postgres

POLICY = """
name: beaten
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}, {after: 30d, in: []}]
undo: 1d
"""
COUNT = 10
#: a Beat that starts in so many seconds is there before the minute in which rotate, collect and verify are sent
JUST_BEFORE = "@2026-03-01 03:40:48"


@pytest.fixture
def waiting(postgres_server: Postgres, catalog_template: str, tmp_path: Path) -> Iterator[Ward]:
    """A worker that waits for work, and a population that needs it in two days."""
    with ward.wards(postgres_server, catalog_template, tmp_path) as opened:
        opened.house.policy(POLICY)
        opened.worker(concurrency=4)
        yield opened


def beat(waiting: Ward, number: int) -> LocalProcess:
    """Start a Beat whose minute is almost over."""
    command = [sys.executable, "-m", "celery", "-A", "faults.sick", "beat", "--loglevel=INFO"]
    env = {**waiting.env, **shifted(JUST_BEFORE)}
    process = LocalProcess(f"beat{number}", command, folder=waiting.folder, env=env)
    waiting.workers.append(process)  # it ends with them
    return process


@pytest.mark.slow
def test_beat_absent_for_two_days(waiting: Ward) -> None:
    """What became due in two days without a Beat is done after one tick of three of them: each step once."""
    house = waiting.house
    population = {
        **{f"move{number}": timedelta(days=6, hours=number) for number in range(COUNT)},  # due in the two days
        **{f"end{number}": timedelta(days=29, hours=number) for number in range(COUNT)},
        "young": timedelta(days=1),
    }
    for name, age in population.items():
        house.store(name, name.encode(), age=age)
    house.days_pass(2)
    beats = [beat(waiting, number) for number in range(3)]
    waiting.wait_for(lambda: all(b"Sending due task rotate" in b.logs() for b in beats), what="three ticks")

    def moved() -> bool:
        waiting.quiet()
        due = house.sql("SELECT count(*) AS n FROM schedule WHERE due_at <= clock_timestamp()")[0].n
        return not due

    waiting.wait_for(moved, what="everything that was due")
    invariants.check(house.keeper)
    told = {name: Counter(house.events(name)) for name in population}
    for number in range(COUNT):
        assert house.tiers(f"move{number}") == {"warm"}
        assert told[f"move{number}"] == {"stored": 1, "moved": 1}
        # a purge that is late is no reason to shorten the undo window
        assert house.show(f"end{number}").state is ArtifactState.DELETED
        assert told[f"end{number}"]["deleted"] == 1
        assert told[f"end{number}"]["purged"] == 0
    assert told["young"] == {"stored": 1}
    for process in beats:
        process.kill()
    waiting.settle()
    assert ward.lying(house) == {"hot": COUNT + 1, "warm": COUNT}
    collected = house.sql("SELECT subject, count(*) AS n FROM events WHERE type = 'collected' GROUP BY subject")
    assert [row.n for row in collected] == [1] * COUNT
