"""Claims: every due artifact once, whoever asks; found by the index, whatever else there is."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House

from tierkeeper.catalog import schedule
from tierkeeper.catalog.database import catalog_now

MANY = 300


@pytest.fixture
def many(house: House) -> House:
    """Artifacts that are all due, and one that is not."""
    items = [house.args(f"n/{i}", b"%d" % i, age=timedelta(days=8)) for i in range(MANY)]
    house.keeper.artifacts.store_many(items, caller=TESTER)
    return house


def claim(house: House, *, limit: int, lease: float = 60, tenant: str | None = None) -> list[schedule.Claimed]:
    """Claim a batch with a token of its own."""
    return house.keeper.engine.catalog.run(
        TESTER,
        lambda c: schedule.claim(c, token=uuid4(), now=catalog_now(c), lease_seconds=lease, limit=limit, tenant=tenant),
    )


def test_each_is_claimed_once(many: House) -> None:
    """Threads that claim at once share out what is due: each artifact to one, none left, nobody waits for another."""
    start = threading.Barrier(6)

    def work(_: int) -> list[UUID]:
        start.wait()
        mine: list[UUID] = []
        while batch := claim(many, limit=7):
            mine += [claimed.artifact for claimed in batch]
        return mine

    with ThreadPoolExecutor(6) as threads:
        claimed = [artifact for mine in threads.map(work, range(6)) for artifact in mine]
    assert (len(claimed), len(set(claimed))) == (MANY, MANY)


def test_the_oldest_first(many: House) -> None:
    """A claim takes what is due longest, and nothing that is not due yet."""
    oldest = many.show("n/200").id
    many.sql("UPDATE schedule SET due_at = due_at - interval '1 hour' WHERE artifact_id = :id", id=oldest)
    assert [c.artifact for c in claim(many, limit=1)] == [oldest]
    assert len(claim(many, limit=1000)) == MANY - 1
    assert claim(many, limit=1000) == []


def test_a_lease_that_ended_is_claimed_again(many: House) -> None:
    """What a worker left is due again when its lease is over, and the attempt was counted."""
    first = claim(many, limit=1000, lease=0.01)
    many.pass_time(timedelta(seconds=1))
    again = claim(many, limit=1000)
    assert {c.attempts for c in first} == {1}
    assert {c.attempts for c in again} == {2}
    assert {c.artifact for c in again} == {c.artifact for c in first}


def test_a_renewed_lease_lasts(many: House) -> None:
    """Only the holder's token renews a lease."""
    token = uuid4()
    database = many.keeper.engine.catalog
    batch = database.run(
        TESTER, lambda c: schedule.claim(c, token=token, now=catalog_now(c), lease_seconds=60, limit=10, tenant=None)
    )
    ids = [c.artifact for c in batch]
    assert database.run(TESTER, schedule.renew, ids, token=uuid4(), lease_seconds=3600) == 0
    assert database.run(TESTER, schedule.renew, ids, token=token, lease_seconds=3600) == 10
    many.pass_time(timedelta(minutes=30))
    assert not {c.artifact for c in claim(many, limit=1000, lease=3600)} & set(ids)


def test_parked_ones_are_left(many: House) -> None:
    """A parked artifact is not claimed until somebody takes it up again."""
    many.sql("UPDATE schedule SET parked_reason = 'a test'")
    assert claim(many, limit=1000) == []
    assert many.keeper.sweeps.due() == 0
    many.restore("n/1")
    assert many.show("n/1").parked_reason is None


def test_a_tenant_of_its_own(many: House) -> None:
    """A claim for one tenant leaves the others'."""
    many.store("b", b"other", tenant="other", age=timedelta(days=8))
    assert len(claim(many, limit=1000, tenant="other")) == 1
    assert len(claim(many, limit=1000, tenant="acme")) == MANY


def test_the_index_finds_what_is_due(many: House) -> None:
    """With a hundred thousand rows that are not due, the claim still reads the index on ``due_at``, not the table."""
    many.sql(
        "INSERT INTO artifacts (id, name_id, tenant, version, blob_id, sha256, size, content_type, created_at, wanted)"
        " SELECT gen_random_uuid(), name_id, tenant, 1000 + n, blob_id, sha256, size, content_type, now(), '{}'"
        " FROM (SELECT * FROM artifacts LIMIT 1) AS one, generate_series(1, 20000) AS n"
    )
    many.sql(
        "INSERT INTO schedule (artifact_id, tenant, due_at, step)"
        " SELECT id, tenant, now() + interval '1 day', 'later' FROM artifacts WHERE version > 1000"
    )
    many.sql("ANALYZE schedule")
    arguments = {"token": uuid4(), "lease": "60 seconds", "limit": 500, "tenant": None, "tiers": None}
    with many.keeper.engine.catalog.engine.connect() as connection:
        explain = sa.text(f"EXPLAIN {schedule._CLAIM.text}")
        told = "\n".join(connection.execute(explain, {**arguments, "now": catalog_now(connection)}).scalars())
        connection.rollback()
    assert "Index Scan using ix_schedule_due_at" in told
    many.sql("DELETE FROM schedule WHERE step = 'later'")
    many.sql("DELETE FROM artifacts WHERE version > 1000")
