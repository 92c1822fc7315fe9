"""The health of the whole: what is bad, what waits for a person, how late the work gets done."""

import math
import shutil
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House, restored

from tierkeeper.base.metrics import REGISTRY
from tierkeeper.catalog import health as catalog_health
from tierkeeper.catalog import heartbeats
from tierkeeper.catalog.heartbeats import waits
from tierkeeper.embedded.valkey import Valkey
from tierkeeper.engine.operations.health import health as look
from tierkeeper.engine.operations.health import percentile
from tierkeeper.settings.groups import HealthSettings
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.values.health import Condition, Health
from tierkeeper_client.contract import Queue


def come_through(house: House, *, sent: timedelta = timedelta(0)) -> None:
    """A canary comes through every queue, sent so long ago."""
    for queue in Queue:
        house.keeper.health.canary(queue, sent_at=datetime.now(UTC) - sent)


def write(house: House, statement: str) -> None:
    """Change the catalog behind the keeper's back."""
    house.keeper.engine.catalog.run(TESTER, lambda connection: connection.execute(sa.text(statement)))


def bad(health: Health) -> set[str]:
    """The names of what is bad."""
    return {vital.name for vital in health.vitals if vital.condition is Condition.BAD}


def test_a_house_at_work_is_healthy(house: House) -> None:
    """Nothing due, canaries through every queue, tiers that answer, a dump: nothing is bad and nothing waits."""
    come_through(house)
    house.keeper.recovery.dump(caller=TESTER)
    health = house.keeper.health.check()
    assert health.healthy
    assert {vital.condition for vital in health.vitals} == {Condition.OK}
    assert health["due"].value == 0
    assert {f"tier {tier}" for tier in ("hot", "warm", "cold", "records")} <= {vital.name for vital in health.vitals}


def test_without_worker_and_beat_it_is_not(house: House) -> None:
    """Where no canary ever came through, Beat and every queue are bad, and the problems say so."""
    health = house.keeper.health.check()
    assert bad(health) == {"beat", *(f"canary {queue}" for queue in Queue)}
    assert "beat: it has never been heard of" in " ".join(health.problems)


def test_what_is_due_and_left_alone_is_bad(house: House) -> None:
    """An item that is due for longer than the limit and that nobody works on; not one that is leased or parked."""
    come_through(house)
    house.store("old", age=timedelta(days=10))
    write(house, "UPDATE schedule SET due_at = clock_timestamp() - interval '20 minutes'")
    health = house.keeper.health.check()
    assert bad(health) == {"overdue"}
    assert 1200 <= (health["overdue"].value or 0) < 1260
    assert health["due"].value == 1
    assert health["clear"].value is None  # nothing was done lately: nobody can say when it will be
    write(house, "UPDATE schedule SET lease_until = clock_timestamp() + interval '1 minute'")
    assert house.keeper.health.check().healthy
    write(house, "UPDATE schedule SET lease_until = NULL, parked_reason = 'x'")
    health = house.keeper.health.check()
    assert (health.healthy, health["parked"].condition) == (True, Condition.ATTENTION)
    write(house, "UPDATE schedule SET parked_reason = NULL")
    house.settle()


def test_a_queue_that_nobody_serves_is_bad(house: House) -> None:
    """A canary that came through long ago, or took long, is bad; the other queues are not."""
    come_through(house)
    write(house, "UPDATE heartbeats SET at = at - interval '1 hour' WHERE name = 'canary:verbs'")
    house.keeper.health.canary(Queue.PURGE, sent_at=datetime.now(UTC) - timedelta(minutes=10))
    health = house.keeper.health.check()
    assert bad(health) == {"canary verbs", "canary purge"}
    assert "took 10m" in health["canary purge"].detail


def test_a_beat_that_is_silent_is_bad(house: House) -> None:
    """Beat is as old as the newest canary that it sent, whatever its clock says."""
    come_through(house, sent=timedelta(minutes=4))
    assert house.keeper.health.check()["beat"].condition is Condition.OK
    come_through(house, sent=timedelta(minutes=6))
    assert "beat" in bad(house.keeper.health.check())
    come_through(house, sent=timedelta(days=-1))  # its clock is ahead
    write(house, "UPDATE heartbeats SET at = at - interval '6 minutes'")
    assert "beat" in bad(house.keeper.health.check())


def test_what_waits_for_a_person_is_no_fault(house: House) -> None:
    """Deletes that are switched off are said, and nothing is bad."""
    come_through(house)
    write(house, "UPDATE switches SET value = 'false', reason = 'audit' WHERE name = 'deletes_enabled'")
    health = house.keeper.health.check()
    assert health.healthy
    assert health["deletes"].condition is Condition.ATTENTION
    assert "audit" in health["deletes"].detail
    write(house, "UPDATE switches SET value = 'true' WHERE name = 'deletes_enabled'")


def test_a_tier_that_does_not_answer_is_bad(house: House) -> None:
    """A tier whose store is away is named with the store's words; asked not to, nobody asks it."""
    come_through(house)
    folder = Path(urlsplit(house.settings.tiers["cold"].url).path)
    away = folder.rename(folder.with_name("away"))
    assert bad(house.keeper.health.check()) == {"tier cold"}
    assert house.keeper.health.check(tiers=False).healthy
    shutil.rmtree(folder, ignore_errors=True)
    away.rename(folder)


@pytest.mark.parametrize("wrong", ["port", "password"])
def test_a_broker_that_does_not_let_us_in_is_bad(house: House, valkey_server: Valkey, wrong: str) -> None:
    """Nobody listens, or the password is another: the broker is bad, by its own words."""
    come_through(house)
    assert house.keeper.health.check(tiers=False)["broker"].condition is Condition.OK
    url = "redis://127.0.0.1:1/0" if wrong == "port" else house.settings.broker.url
    broker = house.settings.broker.model_copy(update={"url": url})
    engine = replace(house.keeper.engine, settings=house.settings.model_copy(update={"broker": broker}))
    with redis.Redis(unix_socket_path=str(valkey_server.socket)) as client:
        client.config_set("requirepass", "another" if wrong == "password" else "")
        try:
            found = look(engine, tiers=False)
        finally:
            client.config_set("requirepass", "")
    assert bad(found) == {"broker"}
    assert "The broker did not answer: " in found["broker"].detail


def told(house: House) -> tuple[float | None, float | None, set[str]]:
    """How many copies are damaged and contents lost, and what is bad."""
    health = house.keeper.health.check(tiers=False)
    return health["damaged"].value, health["lost"].value, bad(health)


def test_lost_content_is_bad_and_damage_is_told(house: House) -> None:
    """Content without a readable copy is bad; not where one is good, a suspect or unasked, or nobody needs it."""
    come_through(house)
    restored(house, b"two copies", to_tier="warm")
    assert told(house) == (0, 0, set())
    write(house, "UPDATE placements SET damaged_at = now() WHERE tier = 'warm'")
    assert told(house) == (1, 0, set())
    assert house.keeper.health.check()["damaged"].condition is Condition.ATTENTION
    write(house, "UPDATE placements SET missed_at = now() WHERE tier = 'cold'")
    assert told(house) == (1, 0, set())
    write(house, "UPDATE placements SET damaged_at = now(), missed_at = NULL WHERE tier = 'cold'")
    assert told(house) == (2, 1, {"lost"})
    assert "tierkeeper reconcile" in house.keeper.health.check()["lost"].detail
    write(house, "UPDATE placements SET tier = 'elsewhere' WHERE tier = 'cold'")
    assert told(house) == (2, 0, set())
    write(house, "DELETE FROM placements WHERE tier = 'elsewhere'")
    assert told(house) == (1, 1, {"lost"})
    write(house, "UPDATE artifacts SET state = 'deleted', purge_at = now()")
    assert told(house) == (1, 1, {"lost"})
    write(house, "UPDATE artifacts SET state = 'purged', purged_at = now(), wanted = '{}'")
    assert told(house) == (1, 0, set())
    house.reset()


def test_damaged_copies_are_counted_by_their_index(house: House) -> None:
    """However many placements there are, only the damaged ones and their siblings are looked at."""
    write(
        house,
        "INSERT INTO blobs (id, scope, sha256, size) SELECT gen_random_uuid(), 'acme',"
        " sha256(CAST(CAST(n AS text) AS bytea)), 1 FROM generate_series(1, 20000) n",
    )
    write(
        house,
        "INSERT INTO placements (id, blob_id, tier, location, state, stored_size, vouched, verified_at, damaged_at)"
        " SELECT gen_random_uuid(), id, 'warm', CAST(id AS text), 'present', 1, 'written', now(),"
        " CASE WHEN get_byte(sha256, 0) = 0 THEN now() END FROM blobs",
    )
    write(house, "ANALYZE placements")
    plan = house.sql(f"EXPLAIN {catalog_health.LOOK}", most=100_000, tiers=["warm"], lease=timedelta(minutes=1))
    text = "\n".join(str(line) for line in plan)
    assert text.count("ix_placements_damaged") == 2, text
    assert "ix_placements_blob_id" in text, text
    assert "ix_placements_unseen" in text, text
    assert 50 < (told(house)[0] or 0) < 120
    house.reset()


class Hanging(FilesystemStore):
    """A folder on a mount whose server has gone."""

    gone = threading.Event()

    def check(self) -> None:
        """Come back when the server does."""
        self.gone.wait(30)


def test_a_tier_that_hangs_is_not_waited_for(house: House) -> None:
    """A store that does not come back is bad after the time for it; the others have been asked meanwhile."""
    come_through(house)
    engine = house.keeper.engine
    hanging = Hanging.from_url(engine.store("cold").config)
    settings = house.settings.model_copy(update={"health": HealthSettings(probe=timedelta(seconds=0.3))})
    sick = replace(engine, stores={**engine.stores, "cold": hanging}, settings=settings)
    began = time.monotonic()
    found = look(sick)
    assert time.monotonic() - began < 5
    assert bad(found) == {"tier cold"}
    assert "has not answered within" in found["tier cold"].detail
    hanging.gone.set()


def test_how_late_and_how_fast(house: House) -> None:
    """What a sweep got done is counted by how long it had been due, a row for all of it."""
    come_through(house)
    for number in range(20):
        house.store(f"late-{number}", age=timedelta(days=10))
    write(house, "UPDATE schedule SET due_at = clock_timestamp() - interval '50 seconds'")
    house.turn()
    health = house.keeper.health.check()
    assert [health[f"latency p{percent}"].value for percent in (50, 99)] == [64, 64]
    assert (health["rate"].value or 0) > 0
    assert health["clear"].value == 0
    with house.keeper.engine.catalog.reading() as connection:
        assert sum(sum(slot.counts.values()) for slot in heartbeats.recent_slots(connection, seconds=3600)) == 20


def test_slots_are_used_again(house: House) -> None:
    """A row of two hours ago is begun anew, so that there are never more rows than slots."""

    def add(connection: sa.Connection) -> None:
        heartbeats.add_done(connection, {3: 2, 5: 1})

    house.keeper.engine.catalog.run(TESTER, add)
    house.keeper.engine.catalog.run(TESTER, add)
    write(house, "UPDATE heartbeats SET at = at - interval '2 hours' WHERE name LIKE 'done:%'")
    house.keeper.engine.catalog.run(TESTER, add)
    with house.keeper.engine.catalog.reading() as connection:
        assert [dict(slot.counts) for slot in heartbeats.recent_slots(connection, seconds=3600)] == [{3: 2, 5: 1}]


@pytest.mark.parametrize(
    ("seconds", "counted"),
    [([], {}), ([0.2, -5, 1], {0: 3}), ([1.1, 2], {1: 2}), ([60, 65], {6: 1, 7: 1}), ([1e30], {24: 1})],
)
def test_waits_are_counted_by_powers_of_two(seconds: list[float], counted: dict[int, int]) -> None:
    """Rounded up; what was never late, or by a wrong clock, counts as a second, and the last class has no end."""
    assert waits(seconds) == counted


def test_percentiles_are_bounds() -> None:
    """Half of what was done took no longer than the bound; of nothing there is none."""
    assert percentile({0: 50, 6: 49, 10: 1}, 50) == 1
    assert percentile({0: 50, 6: 49, 10: 1}, 99) == 64
    assert percentile({}, 50) is None


def test_every_look_is_measured(house: House) -> None:
    """What was seen goes to the metrics too, for whoever exports them."""
    come_through(house)
    for vital in house.keeper.health.check().vitals:
        seen = REGISTRY.get_sample_value("tierkeeper_health", {"vital": vital.name, "unit": vital.unit})
        assert seen == pytest.approx(math.nan if vital.value is None else vital.value, nan_ok=True)
