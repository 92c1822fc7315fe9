"""What a store refuses is kept with its words, counted, shown and alarmed, and gone once it no longer refuses."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from support import vault
from support.around import Around
from support.callers import TESTER
from support.house import House, OpenHouse
from support.reconciling import QUARANTINE, late, reconcile, there
from support.refusing import Refusing, refusing

from tierkeeper.base import clock
from tierkeeper.base.states import RetentionMode
from tierkeeper.engine.ingest import sources
from tierkeeper.engine.reconcile import verify
from tierkeeper.stores.base import ModesLook, ObjectKey, Stored
from tierkeeper.stores.errors import StoreDenied, StoreError, StoreTransient, ThawNeeded
from tierkeeper.values.health import Condition
from tierkeeper.values.refusals import LOCKED, Reason

LACKS = (501, "NotImplemented")
FORBIDS = (403, "AccessDenied")
RETRY = timedelta(minutes=5)


@pytest.fixture
def front(s3_endpoint: str) -> Iterator[Refusing]:
    """A server that refuses what it is told to."""
    with refusing(s3_endpoint) as found:
        yield found


@pytest.fixture
def ward(open_house: OpenHouse, front: Refusing) -> House:
    """A keeper whose cold tier is on it, and asks once: the pauses between attempts are shown elsewhere."""
    return open_house(tiers={"cold": {"url": f"s3://cold-refusing?endpoint={front.endpoint}&attempts=1"}})


def doomed(house: House, *names: str) -> House:
    """Give it artifacts in the cold tier alone, purged for good: collect is to delete their bytes."""
    for name in names:
        house.store(name, name.encode(), age=timedelta(days=40))
    house.settle()
    for name in names:
        house.purge(name)
    house.turn()
    house.days_pass(9)
    house.turn()
    return house


def check(house: House, named: str) -> tuple[Condition, str]:
    """What doctor says of one question."""
    (found,) = [each for each in house.keeper.recovery.examine() if each.check == named]
    return found.condition, found.found


def vital(house: House, named: str) -> tuple[Condition, float | None]:
    """What health says of one vital."""
    found = house.keeper.health.check(tiers=False)[named]
    return found.condition, found.value


@pytest.mark.parametrize("status", [(501, "NotImplemented"), (405, "")])
def test_a_server_without_bulk_deletes_and_lists_of_uploads_deletes_one_by_one(
    ward: House, front: Refusing, status: tuple[int, str]
) -> None:
    """What it lacks is asked for once, and by no keeper after that; every key goes."""
    doomed(ward, "a", "b", "c")
    front.refused = {"bulk delete": status, "list uploads": status}
    front.asked.clear()
    assert ward.collect().errors == 0
    assert all("destroyed" in ward.events(name) for name in ("a", "b", "c"))
    assert front.asked["delete"] == 3
    refused = front.asked["bulk delete"], front.asked["list uploads"]
    doomed(ward, "d")
    assert ward.collect().errors == 0
    assert (front.asked["bulk delete"], front.asked["list uploads"]) == refused
    assert "destroyed" in ward.events("d")


def test_what_a_server_lacks_is_known_to_the_next_keeper(ward: House, front: Refusing, open_house: OpenHouse) -> None:
    """It lies in the catalog beside what was probed."""
    doomed(ward, "a")
    front.refused = {"bulk delete": LACKS}
    ward.collect()
    memory = ward.sql("SELECT value->'seen'->>'bulk_delete' FROM switches WHERE name = 'probe:cold'")
    assert [tuple(row) for row in memory] == [("false",)]
    ward.keeper.engine.store("cold").place.lacking._until = 0  # type: ignore[attr-defined]  # as in another process
    front.asked.clear()
    doomed(ward, "b")
    ward.collect()
    assert front.asked["bulk delete"] == 0


@pytest.mark.parametrize("call", ["bulk delete", "list uploads"])
def test_a_refused_delete_is_told_everywhere_until_it_succeeds(ward: House, front: Refusing, call: str) -> None:
    """403 is no ability that a server lacks: the row keeps the words, and nothing is left of them in the end."""
    doomed(ward, "a")
    front.refused = {call: FORBIDS}
    for _ in range(2):
        assert ward.collect().errors == 1
        ward.pass_time(RETRY)
    (copy,) = ward.show("a").placements
    assert copy.refusal is not None
    assert (copy.refusal.count, "AccessDenied" in copy.refusal.reason) == (2, True)
    (blocked,) = ward.keeper.artifacts.explain(ward.ref()).blocked
    assert all(word in blocked for word in ("cold", "AccessDenied", "2 times"))
    assert {tier.tier for tier in ward.keeper.tiers.stats() if tier.refused} == {"cold"}
    condition, words = check(ward, "copies that a store does not delete")
    assert (condition, "AccessDenied" in words) == (Condition.ATTENTION, True)
    assert vital(ward, "refused deletes") == (Condition.ATTENTION, 1)
    ward.days_pass(1.1)
    assert vital(ward, "refused deletes") == (Condition.BAD, 1)
    front.refused = {}
    assert ward.collect().errors == 0
    assert "destroyed" in ward.events("a")
    assert vital(ward, "refused deletes") == (Condition.OK, 0)
    assert check(ward, "copies that a store does not delete") == (Condition.OK, "none")
    assert not any(tier.refused for tier in ward.keeper.tiers.stats())


def test_what_a_lock_of_the_stores_own_keeps_is_no_alarm(house: House) -> None:
    """It goes when the lock ends: health says so, and is not bad after days."""
    locking = vault.install(house, "cold")
    house.store("a", age=timedelta(days=40))
    house.settle()
    (copy,) = house.show("a").placements
    locking.lock(ObjectKey(copy.location), until=clock.now() + timedelta(days=90), mode=RetentionMode.COMPLIANCE)
    house.purge("a")
    house.turn()
    house.days_pass(9)
    house.turn()
    house.collect()
    (copy,) = house.show("a").placements
    assert copy.refusal is not None
    assert copy.refusal.code == LOCKED
    house.pass_time(timedelta(minutes=10))
    for _ in range(2):  # what was put off for an hour is no lease of a clock that was ahead
        house.collect()
        house.pass_time(timedelta(minutes=10))
    [again] = house.show("a").placements
    assert again.refusal is not None
    assert again.refusal.count == 1
    house.days_pass(3)
    assert vital(house, "refused deletes") == (Condition.ATTENTION, 1)


def test_a_refused_delete_of_an_orphan_is_told_until_it_succeeds(ward: House, front: Refusing) -> None:
    """The quarantine keeps the words."""
    where = late(ward, "cold")
    reconcile(ward)
    ward.pass_time(QUARANTINE)
    front.refused = {"bulk delete": FORBIDS}
    result, _ = reconcile(ward)
    assert result.counts["orphans not deleted"] == 1
    assert vital(ward, "refused deletes") == (Condition.ATTENTION, 1)
    condition, words = check(ward, "orphans that a store does not delete")
    assert (condition, "AccessDenied" in words, where in words) == (Condition.ATTENTION, True, True)
    assert {tier.tier for tier in ward.keeper.tiers.stats() if tier.refused} == {"cold"}
    front.refused = {}
    reconcile(ward)
    assert not there(ward, "cold", where)
    assert vital(ward, "refused deletes") == (Condition.OK, 0)


def test_a_refused_listing_is_told_until_reconcile_gets_it(ward: House, front: Refusing) -> None:
    """A tier that cannot be reconciled is no tier without differences."""
    front.refused = {"list": FORBIDS}
    for _ in range(2):
        reconcile(ward)
    found = ward.keeper.health.check(tiers=False)["refused sweeps"]
    assert (found.condition, found.value) == (Condition.ATTENTION, 1)
    assert all(word in found.detail for word in ("reconcile of cold", "AccessDenied", "2 times"))
    condition, words = check(ward, "sweeps that a store refuses")
    assert (condition, "reconcile of cold" in words) == (Condition.ATTENTION, True)
    front.refused = {}
    reconcile(ward)
    assert vital(ward, "refused sweeps") == (Condition.OK, 0)


def test_a_refused_read_is_told_until_verify_gets_it(ward: House, front: Refusing) -> None:
    """A share of the copies is verified each day: what the store did not give is told until the next one."""
    ward.store("a", age=timedelta(days=40))
    ward.settle()
    front.refused = {"GET": FORBIDS}
    ward.keeper.sweeps.verify(share=1.0, caller=TESTER)
    found = ward.keeper.health.check(tiers=False)["refused sweeps"]
    assert (found.condition, "verify of cold" in found.detail) == (Condition.ATTENTION, True)
    front.refused = {}
    ward.keeper.sweeps.verify(share=1.0, caller=TESTER)
    assert vital(ward, "refused sweeps") == (Condition.OK, 0)


def test_a_verify_that_ends_early_tells_what_was_refused(
    ward: House, front: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daily share has a deadline: what was refused until then is told, and forgotten by one that ends early too."""
    for name in "ab":
        ward.store(name, name.encode(), age=timedelta(days=40))
    ward.settle()
    monkeypatch.setattr(verify, "_BATCH", 1)
    for refused, told in (({"GET": FORBIDS}, 1), ({}, 0)):
        front.refused = refused
        looks = iter([False, False, True])  # the first batch is empty: all are vouched for
        monkeypatch.setattr(verify, "over", lambda _deadline, looks=looks: next(looks))
        assert ward.keeper.sweeps.verify(share=1.0, caller=TESTER).more
        assert vital(ward, "refused sweeps")[1] == told


def test_a_transient_error_is_no_refusal(ward: House, front: Refusing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night on which a server was busy is no sweep that it refuses, and ends none that it did: of each sweep."""
    ward.store("a", age=timedelta(days=40))
    ward.settle()
    busy = (503, "SlowDown")

    class Staging(Around):
        def list(self, prefix: str = "") -> Iterator[Stored]:
            kind = StoreTransient if front.refused["list"] == busy else StoreDenied
            raise kind(tier="staging", reason=f"no listing of {prefix!r}")

    made = sources.staging_store
    monkeypatch.setattr(sources, "staging_store", lambda settings: Staging(made(settings)))
    for refused, told in ((busy, 0), (FORBIDS, 4), (busy, 4)):
        front.refused = {"GET": refused, "list": refused}
        ward.keeper.sweeps.verify(share=1.0, caller=TESTER)
        reconcile(ward)
        with pytest.raises(StoreError):
            ward.keeper.recovery.dump(caller=TESTER)
        with pytest.raises(StoreError):
            ward.keeper.sweeps.maintain(caller=TESTER)
        assert vital(ward, "refused sweeps")[1] == told
    front.refused = {}


def test_what_must_be_thawed_ends_no_refusal() -> None:
    """Nothing was read: a tier in which all copies are to be thawed first gave no answer to a read."""
    refused: dict[str, Reason | None] = {}
    verify._note_refusals(refused, [("cold", ThawNeeded(tier="cold", location="a", after="12 hours"))])
    assert refused == {}


def test_a_refusal_that_is_not_repeated_ends(ward: House, front: Refusing) -> None:
    """A tier that left the settings is asked by no sweep: what it refused is no alarm for good."""
    front.refused = {"list": FORBIDS}
    reconcile(ward)
    ward.sql("UPDATE switches SET at = at - interval '6 days' WHERE name LIKE 'refused:%'")
    ward.keeper.sweeps.maintain(caller=TESTER)
    assert vital(ward, "refused sweeps")[1] == 1
    ward.sql("UPDATE switches SET at = at - interval '2 days' WHERE name LIKE 'refused:%'")
    front.refused = {}
    ward.keeper.sweeps.maintain(caller=TESTER)
    assert vital(ward, "refused sweeps") == (Condition.OK, 0)


def test_staging_that_refuses_its_listing_stops_no_other_housekeeping(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as a refused sweep, and the other jobs of maintain are done."""

    class Shut(Around):
        def list(self, prefix: str = "") -> Iterator[Stored]:
            raise StoreDenied(tier="staging", reason=f"no listing of {prefix!r}")

    made, looked_at = sources.staging_store, list[str]()

    def look(tier: str, _at: object, *, seconds: float) -> ModesLook:
        looked_at.append(tier)
        return ModesLook()

    for tier, store in house.keeper.engine.stores.items():
        monkeypatch.setattr(store, "tighten_modes", partial(look, tier))
    monkeypatch.setattr(sources, "staging_store", lambda settings: Shut(made(settings)))
    with pytest.raises(StoreDenied):
        house.keeper.sweeps.maintain(caller=TESTER)
    found = house.keeper.health.check(tiers=False)["refused sweeps"]
    assert (found.value, "maintain of staging: StoreDenied" in found.detail) == (1, True)
    assert looked_at == list(house.keeper.engine.stores)
    monkeypatch.undo()
    house.keeper.sweeps.maintain(caller=TESTER)
    assert vital(house, "refused sweeps") == (Condition.OK, 0)
