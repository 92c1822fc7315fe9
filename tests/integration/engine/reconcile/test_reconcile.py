"""Reconcile while all is well, while work is in flight, as a dry run, and with a tier that is away."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from support import crashing
from support.callers import TESTER
from support.crashing import Step
from support.house import LEASES_END, House, OpenHouse, without_bucket
from support.reconciling import CONTENT, QUARANTINE, WEEK, drop, late, quarantined, reconcile, short, there
from support.slow_worker import Slow

from tierkeeper.base.errors import SweepAtWork, UnknownTier
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.engine.trust import own_objects
from tierkeeper.stores.base import ObjectKey, Store, Stored
from tierkeeper.stores.errors import StoreTransient
from tierkeeper.stores.s3.store import S3Store
from tierkeeper.values.findings import Finding


def test_what_agrees_is_no_finding(twice: House) -> None:
    """Where catalog and stores agree nothing is found; what tierkeeper itself keeps there is no finding either."""
    twice.store("b", b"another")
    for _ in range(2):
        result, found = reconcile(twice)
        assert (found, result.errors, result.held_back, result.state) == ([], 0, None, RunState.DONE)
    assert {t.tier: (t.listed, t.known) for t in result.tiers} == {
        "hot": (1, 1),
        "records": (0, 0),
        "warm": (1, 1),
        "cold": (1, 1),
    }
    cold = twice.keeper.engine.store("cold")
    assert [o for o in cold.list() if own_objects.is_own(o.location)]  # the epoch's twin, at least
    run = twice.keeper.runs.get(cast("Any", result.run))
    assert (run.kind, run.state, run.counts["listed"]) == (RunKind.RECONCILE, RunState.DONE, 3)


def test_only_the_tiers_asked_for(house: House) -> None:
    """Tiers that are named are reconciled and no others; one that is not there is an error."""
    late(house, "hot")
    result, found = reconcile(house, tiers=["warm", "cold"])
    assert ([t.tier for t in result.tiers], found) == (["warm", "cold"], [])
    with pytest.raises(UnknownTier, match="tepid"):
        reconcile(house, tiers=["tepid"])
    house.keeper.engine.store("hot").delete([ObjectKey(o.location) for o in house.keeper.engine.store("hot").list()])


def test_a_copy_in_flight_is_no_finding(any_house: House) -> None:
    """Bytes whose commit is still to come have their row, so they are no orphan, and the commit finds them."""
    any_house.store(content=CONTENT, age=WEEK)
    worker = Slow(any_house).claim().intend().copy()
    for _ in range(2):
        _, found = reconcile(any_house)
        assert found == []
        any_house.pass_time(QUARANTINE)
    worker = Slow(any_house).claim().intend().copy()
    reconcile(any_house)
    worker.commit()
    _, found = reconcile(any_house)
    assert found == []
    any_house.pass_time(LEASES_END)
    any_house.settle()
    assert any_house.tiers() == {"warm"}


def after_the_listing(store: Store, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen when everything was listed, and nothing is looked up yet."""
    original = store.list
    done: list[object] = []

    def listing(prefix: str = "") -> Iterator[Stored]:
        yield from original(prefix)
        if not prefix and not done:
            done.append(happens())

    monkeypatch.setattr(store, "list", listing)


def before_the_first_head(store: Store, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen when a copy was missed, and the store is not asked yet."""
    original, lock = store.head, threading.Lock()
    done: list[bool] = []

    def head(key: ObjectKey) -> Stored:
        with lock:
            if not done:
                done.append(True)
                happens()
        return original(key)

    monkeypatch.setattr(store, "head", head)


def test_what_is_stored_and_collected_meanwhile_is_no_finding(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed and then collected, and committed after it was not listed: neither is an orphan, neither is missing."""
    any_house.store("old", b"old content", age=WEEK)
    any_house.settle()
    any_house.store("new", b"new content", age=WEEK)
    worker = Slow(any_house).claim().intend()
    done = []

    def happens() -> None:
        any_house.promote("old", "cold")
        assert any_house.collect().counts["collected"] == 1
        worker.copy()
        done.append(worker.commit())

    after_the_listing(any_house.keeper.engine.store("warm"), happens, monkeypatch)
    result, found = reconcile(any_house, tiers=["warm"])
    assert found == []
    assert [(t.listed, t.known) for t in result.tiers] == [(1, 1)]
    assert (any_house.tiers("old"), any_house.tiers("new"), len(done)) == ({"cold"}, {"warm"}, 1)
    assert quarantined(any_house) == 0


@pytest.mark.parametrize("crash", [False, True], ids=["collected", "being deleted"])
def test_what_goes_while_it_is_looked_for_is_no_finding(
    any_house: House, monkeypatch: pytest.MonkeyPatch, *, crash: bool
) -> None:
    """A copy whose bytes go between the reading of its row and the question to the store was collect's to delete."""
    any_house.store(content=CONTENT, age=WEEK)
    worker = Slow(any_house).claim().intend()
    store = any_house.keeper.engine.store("warm")
    after_the_listing(store, lambda: worker.copy().commit(), monkeypatch)

    def goes() -> None:
        any_house.promote("a", "cold")
        any_house.pass_time(LEASES_END)
        if not crash:
            assert any_house.collect().counts["collected"] == 2
            return
        with (
            crashing.crashing(Step("tierkeeper.engine.collect.collect", "step_3_delete"), "after"),
            pytest.raises(crashing.Crash),
        ):
            any_house.collect()

    before_the_first_head(store, goes, monkeypatch)
    _, found = reconcile(any_house, tiers=["warm"])
    assert (found, list(store.list())) == ([], [])
    any_house.pass_time(LEASES_END)
    any_house.settle()
    assert "damaged" not in any_house.events()


def test_copies_on_their_way_out_are_no_orphans(twice: House) -> None:
    """What is doomed, and what is being deleted, has its row: it is collect's."""
    twice.purge("a")
    twice.sql("UPDATE placements SET state = 'deleting', token = gen_random_uuid(), lease_until = now() + '1 h'")
    for _ in range(2):
        _, found = reconcile(twice)
        assert found == []
        twice.sql("UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now() + '9 days'")
    twice.sql("UPDATE placements SET state = 'present'")


def test_a_dry_run_changes_nothing(twice: House) -> None:
    """A dry run finds what a run finds, with what would be done, and leaves catalog and stores as they are."""
    late(twice)
    reconcile(twice)
    twice.pass_time(QUARANTINE)
    drop(twice, "cold")
    late(twice, "hot", b"another")
    before = snapshot(twice)
    result, found = reconcile(twice, dry_run=True)
    assert snapshot(twice) == before
    assert result.run is None
    assert short(found) == [
        ("cold", "missing", "repair" if twice.keeper.engine.store("cold").bound else "quarantine"),
        ("hot", "orphan", "quarantine"),
        ("warm", "orphan", "delete"),
    ]
    assert short(reconcile(twice)[1]) == short(found)
    twice.pass_time(QUARANTINE)
    reconcile(twice)
    twice.settle()


def snapshot(house: House) -> list[Any]:
    """Everything that a reconcile could change."""
    tables = "quarantine", "runs", "placements", "schedule", "artifacts", "switches", "events"
    rows = [sorted(str(row) for row in house.sql(f"SELECT * FROM {table}")) for table in tables]  # noqa: S608  constants
    return [*rows, house.everything()]


def test_a_tier_that_is_away_is_reported(open_house: OpenHouse, s3_endpoint: str) -> None:
    """A tier that does not answer is reported and nothing is concluded from it; the others are done."""
    house = open_house(
        tiers={"warm": {"url": f"s3://warm-bucket?endpoint={s3_endpoint}", "options": {"attempts": "1"}}}
    )
    house.store("warmer", b"in warm", age=WEEK)
    house.store("colder", CONTENT, age=timedelta(days=40))
    house.settle()
    house.restore("colder")
    where = late(house, "cold")
    reconcile(house)
    house.pass_time(QUARANTINE)
    drop(house, "hot", "colder")
    place = cast("S3Store", house.keeper.engine.store("warm")).place
    (kept,) = [o.location for o in house.keeper.engine.store("warm").list()]
    place.client.delete_object(Bucket="warm-bucket", Key=place.key(kept))
    with without_bucket(cast("S3Store", house.keeper.engine.store("warm"))):
        result, found = reconcile(house)
        assert short(found) == [("cold", "orphan", "delete"), ("hot", "missing", "repair")]
        assert [(t.tier, "bucket" in str(t.away)) for t in result.tiers if t.away] == [("warm", True)]
        assert (result.errors, result.counts["tiers away"], there(house, "cold", where)) == (1, 1, False)
        assert "damaged" not in house.events("warmer")
    place.client.put_object(Bucket="warm-bucket", Key=place.key(kept), Body=b"in warm")
    house.settle()
    assert reconcile(house)[1] == []


def test_nothing_is_concluded_from_half_a_listing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a listing breaks off, what it did not name is neither missing nor gone from the quarantine."""
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)
    warm = house.keeper.engine.store("warm")
    with monkeypatch.context() as broken:

        def breaks() -> None:
            raise StoreTransient(tier="warm", reason="the connection was reset")

        broken.setattr(warm, "list", lambda _prefix="": iter(()))
        after_the_listing(warm, breaks, broken)
        result, found = reconcile(house)
        assert (found, quarantined(house), result.errors) == ([], 1, 1)
    assert reconcile(house)[0].counts["orphans deleted"] == 1
    assert not there(house, "warm", where)


def test_one_at_a_time(house: House) -> None:
    """A message that is delivered again while its reconcile is at work finds that it is."""
    house.keeper.sweeps.require_no_reconcile()
    seen = []
    late(house)

    def ask(_finding: Finding) -> None:
        with pytest.raises(SweepAtWork) as at_work:
            house.keeper.sweeps.require_no_reconcile()
        seen.append(at_work.value.data["run"])

    house.keeper.sweeps.reconcile(caller=TESTER, found=ask)
    (run,) = house.keeper.runs.latest(kind=RunKind.RECONCILE)
    assert seen == [str(run.id)]
    house.keeper.sweeps.require_no_reconcile()
    house.keeper.engine.store("warm").delete([ObjectKey(o.location) for o in house.keeper.engine.store("warm").list()])
