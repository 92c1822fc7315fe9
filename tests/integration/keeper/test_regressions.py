"""Faults that a review found: each was shown by its test before it was mended."""

import io
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from integration.keeper.house import House, OpenHouse
from integration.keeper.test_damage import file_of, flip

from tierkeeper.base.errors import CommandConflict
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound
from tierkeeper.stores.filesystem import FilesystemStore

CONTENT = b"what was stored"


class Mangling(FilesystemStore):
    """A folder that says of everything it is given that other bytes arrived."""

    @property
    def realm(self) -> str:
        return "mangling"

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        raise ContentMismatch(tier=self.config.tier, location=location, reason="other bytes arrived")


class Forgetful(FilesystemStore):
    """A folder from which what was written is gone when it is asked for."""

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        raise ObjectNotFound(tier=self.config.tier, location=location)


class Slow(FilesystemStore):
    """A folder that takes its time for a copy, and says nothing meanwhile."""

    seconds = 2.5

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        time.sleep(self.seconds)
        return super().copy(source, key, location, info)


def put_store(house: House, tier: str, kind: type[FilesystemStore]) -> None:
    store = house.keeper.engine.stores[tier]
    house.keeper.engine.stores[tier] = kind.from_url(store.config)  # type: ignore[index]


@pytest.mark.parametrize("kind", [Mangling, Forgetful])
def test_a_targets_fault_is_not_blamed_on_the_source(house: House, kind: type[FilesystemStore]) -> None:
    """A copy whose target fails leaves its source readable and undamaged."""
    house.store(content=CONTENT, age=timedelta(days=8))
    put_store(house, "warm", kind)
    house.turn()
    (copy,) = [p for p in house.show().placements if p.tier == "hot"]
    assert copy.damaged_at is None
    assert house.read() == CONTENT


def test_a_doomed_copy_known_to_be_bad_is_not_rescued(open_house: OpenHouse) -> None:
    """A doomed copy that was found bad is never present again."""
    house = open_house(engine={"grace": "1h"}, tiers={"warm": {"options": {"layout": "cas"}}})
    house.store(content=CONTENT, age=timedelta(days=8))
    house.turn()
    assert house.tiers() == {"warm"}
    (doomed,) = [p for p in house.show().placements if p.tier == "hot"]
    flip(Path(house.settings.tiers["hot"].url.removeprefix("file://")) / doomed.location)
    warm = file_of(house, "warm")
    kept = warm.read_bytes()
    warm.unlink()
    with pytest.raises(Exception):
        house.read()
    warm.write_bytes(kept)
    house.sql("UPDATE placements SET damaged_at = NULL WHERE tier = 'warm'")
    house.promote("a", "hot")
    house.turn()
    assert house.read() == CONTENT


def test_surplus_race(house: House) -> None:
    """A version that becomes surplus while it converges is purged."""
    house.policy("name: few\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nversions: {keep: 1}\nundo: 0s")
    house.store("a", b"1")
    first = house.show("a", 1).id
    house.due(first)
    engine = house.keeper.engine
    from tierkeeper.catalog import schedule

    reached, go = threading.Event(), threading.Event()
    original = schedule.lock

    def waiting(connection: Any, ids: Sequence[Any]) -> None:
        reached.set()
        go.wait(10)
        original(connection, ids)

    schedule.lock = waiting
    run = house.keeper.rotate()
    t = threading.Thread(target=lambda: house.keeper.converge_due(run))
    t.start()
    assert reached.wait(10)
    schedule.lock = original
    house.store("a", b"2")
    go.set()
    t.join()
    print(house.sql("select * from schedule"))
    house.turn()
    assert house.show("a", 1).state == "purged"


def test_a_copy_that_tells_nothing_keeps_its_lease(open_house: OpenHouse) -> None:
    house = open_house(engine={"lease": "1s", "renew_every": "300ms"})
    house.store(content=CONTENT, age=timedelta(days=8))
    put_store(house, "warm", Slow)
    t = threading.Thread(target=house.turn)
    t.start()
    while t.is_alive():
        house.collect()
        time.sleep(0.2)
    t.join()
    assert house.tiers() == {"warm"}


def test_accessed(house: House) -> None:
    house.policy(
        "name: idle\nmatch: {tenant: acme}\nclock: accessed\nphases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}]"
    )
    house.store(content=CONTENT)
    house.days_pass(8)
    house.turn()
    house.read()
    house.keeper._access.flush()
    house.settle()
    assert house.tiers() == {"hot"}


def test_healed_is_not_parked(house: House) -> None:
    house.store(content=CONTENT)
    flip(file_of(house, "hot"))
    house.keeper.verify()
    for _ in range(8):
        house.turn()
        house.pass_time(timedelta(minutes=10))
    assert house.show().parked_reason
    assert house.store(content=CONTENT).outcome == "unchanged"
    house.settle()
    house.days_pass(8)
    house.settle()
    assert house.tiers() == {"warm"}


def test_given_same_key(house: House) -> None:
    call = house.call()
    args = house.args("a")
    house.keeper.store(args, call=call, content=io.BytesIO(b"one"))
    house.keeper.store(args, call=call, content=io.BytesIO(b"one"))
    with pytest.raises(CommandConflict):
        house.keeper.store(args, call=call, content=io.BytesIO(b"two"))


def test_given_at_offset(house: House) -> None:
    file = io.BytesIO(b"header" + CONTENT)
    file.seek(6)
    house.keeper.store(house.args("a"), call=house.call(), content=file)
    assert house.read() == CONTENT


def test_restore_days(house: House) -> None:
    house.store(content=CONTENT)
    with pytest.raises(Exception):
        house.restore(days=1e10)


def test_verify_starves(open_house: OpenHouse) -> None:
    house = open_house()
    for n in range(3):
        house.store(f"a{n}", b"%d" % n)
    house.sql(
        "UPDATE placements SET tier = 'gone', verified_at = verified_at - interval '1 day' WHERE blob_id = (SELECT blob_id FROM artifacts LIMIT 1)"
    )
    from tierkeeper.engine import verify

    old = verify._BATCH
    verify._BATCH = 1
    try:
        assert house.keeper.verify(share=1.0).counts.get("verified") == 2
    finally:
        verify._BATCH = old
        house.sql("UPDATE placements SET tier = 'hot'")


def test_policy_clock_back(house: House) -> None:
    house.policy("name: few\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}, {after: 1d, in: []}]")
    house.sql("UPDATE policies SET active_from = active_from + interval '1 hour'")
    house.store("a", b"1")
    house.keeper.policy_remove("few", actor="t")
    assert "default" in house.keeper.explain(house.ref()).rule


def test_healed_name_leaves_path(house: House) -> None:
    house.store("a", content=CONTENT)
    flip(file_of(house, "hot"))
    house.keeper.verify()
    house.store("a", content=CONTENT)
    house.store("b", content=CONTENT)
    house.settle()
    house.purge("a")
    house.days_pass(8)
    house.settle()
    house.days_pass(0.1)
    house.settle()
    print(house.everything())
    assert not [e for e in house.everything() if "/a/" in e]


def test_foreign(house: House) -> None:
    house.store("a", content=CONTENT, age=timedelta(days=8))
    house.store("b", content=CONTENT, age=timedelta(days=8))
    from tierkeeper.base.ids import new_id
    from tierkeeper.engine import converge

    eng = house.keeper.engine
    w = converge.Worker(new_id(), "x")
    ids = [house.show("a").id]
    c = converge.step_1_claim(eng, w, ids=ids)
    plan = converge.step_2_decide(eng, ids)
    converge.step_3_intend(eng, w, plan)
    run = house.keeper.rotate()
    r = house.keeper.converge_due(run, deadline=time.monotonic() + 8)
    print(r)
    assert r.counts.get("retried", 0) < 4


def test_healed_name_leaves_path2(house: House) -> None:
    house.policy("name: p\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 0s")
    house.store("a", content=CONTENT)
    flip(file_of(house, "hot"))
    house.keeper.verify()
    house.store("a", content=CONTENT)
    house.store("b", content=CONTENT)
    house.settle()
    house.purge("a")
    house.settle()
    house.settle()
    print(house.everything())
    assert not [e for e in house.everything() if "/a/" in e]


def test_poison(house: House) -> None:
    from tierkeeper.engine import converge
    from tierkeeper.base.ids import new_id
    names = [f"n{n}" for n in range(10)]
    for n in names:
        house.store(n, n.encode(), age=timedelta(days=8))
    eng = house.keeper.engine
    poison = house.show("n4").id
    for _ in range(40):
        w = converge.Worker(new_id(), "x")
        c = converge.claim_due(eng, w, tenant=None)
        if not c:
            break
        if poison in [x.artifact for x in c] and all(x.attempts <= 5 for x in c):
            house.pass_time(timedelta(minutes=2))
            continue
        converge.converge(eng, w, c)
    parked = [n for n in names if house.show(n).parked_reason]
    assert parked == ["n4"]
