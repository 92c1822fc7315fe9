"""Items that break what handles them: each has its own outcome, and none stops its batch."""

from datetime import timedelta
from typing import BinaryIO

import pytest
from support.callers import TESTER
from support.house import LEASES_END, House, OpenHouse
from support.refusing_store import Refusing, replace

from tierkeeper.base.callers import Caller
from tierkeeper.base.metrics import REGISTRY
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import StoreDenied, StoreError, StorePermanent, StoreTransient, StoreUnusable
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.values.artifacts import ItemError
from tierkeeper.values.parking import StuckFilter


class Poisoned(FilesystemStore):
    """A folder whose adapter has a fault of its own with one name: not a store's error, a programmer's."""

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        if info.name == "poison":
            raise RuntimeError("an adapter's own fault")
        return super().copy(source, key, location, info)

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        if info.name == "poison":
            raise RuntimeError("an adapter's own fault")
        return super().put(location, content, info)


def test_a_fault_of_an_adapter_stops_only_its_item(house: House) -> None:
    """An error that no store should raise fails the one artifact; the others of its batch move on."""
    for name in ("a", "poison", "z"):
        house.store(name, name.encode(), age=timedelta(days=8))
    replace(house, "warm", Poisoned)
    house.turn()
    assert house.tiers("a") == house.tiers("z") == {"warm"}
    assert house.tiers("poison") == {"hot"}
    assert house.read("poison") == b"poison"


def test_a_fault_of_an_adapter_stops_only_its_item_of_a_store(house: House) -> None:
    """In a batch of stores the one that breaks the adapter has an error, and the others are stored."""
    replace(house, "hot", Poisoned)
    items = [house.args(name, name.encode()) for name in ("a", "poison", "z")]
    results = house.keeper.artifacts.store_many(items, caller=TESTER)
    assert [type(r).__name__ for r in results] == ["StoreResult", "ItemError", "StoreResult"]
    told = results[1]
    assert isinstance(told, ItemError)
    assert told.error["error"] == "StoreDefect"
    assert "failed in its own code: RuntimeError: an adapter's own fault" in told.error["message"]
    house.pass_time(LEASES_END)
    house.settle()


@pytest.mark.parametrize(
    ("refusal", "parked"),
    [
        (StorePermanent(tier="warm", reason="the entity is too large"), True),
        (StoreDenied(tier="warm", reason="access denied"), False),
        (StoreUnusable(tier="warm", reason="no such bucket"), False),
        (StoreTransient(tier="warm", reason="503 Slow Down"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_is_refused_for_itself_is_parked(
    open_house: OpenHouse,
    refusal: StoreError,
    parked: bool,  # noqa: FBT001  a column of the table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An object that its tier refuses is parked after some tries; a tier that is away or denied parks nothing."""
    house = open_house(tiers={"warm": {"options": {"layout": "cas"}}})
    for name in ("poison", "good"):
        house.store(name, name.encode(), age=timedelta(days=8))
    # another realm, so that the bytes are put and not copied within the machine
    replace(house, "warm", Refusing)
    monkeypatch.setattr(Refusing, "refused", refusal)
    monkeypatch.setattr(Refusing, "realm", "elsewhere")
    waits = []
    for _ in range(8):
        house.turn()
        (row,) = house.sql(
            "SELECT s.parked_reason, s.attempts, extract(epoch FROM s.due_at - now()) AS wait FROM schedule s"
            " JOIN artifacts a ON a.id = s.artifact_id JOIN names n ON n.id = a.name_id WHERE n.name = 'poison'"
        )
        waits.append(row.wait)
        house.pass_time(timedelta(minutes=10))
    assert house.tiers("good") == ({"warm"} if refusal.of_object else {"hot"})
    assert house.read("poison") == b"poison"
    if parked:
        assert "given up after 5 attempts" in row.parked_reason
        assert "too large" in row.parked_reason
    else:
        assert (row.parked_reason, row.attempts) == (None, 0)
        assert waits[0] < 5
        assert 60 < waits[-1] <= 375
    monkeypatch.setattr(Refusing, "refused", None)
    if parked:
        (result,) = house.keeper.parked.retry(StuckFilter(name="poison"), caller=Caller("cli:kim"))
        assert result.outcome == "retried"
    house.settle()
    assert house.tiers("poison") == house.tiers("good") == {"warm"}
    assert ("retried" in house.events("poison")) is parked


def test_a_failing_tier_raises_an_alarm(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier that denies everything is measured by its name and kind of error, however long it backs off."""
    house = open_house(tiers={"warm": {"options": {"layout": "cas"}}})
    for name in ("a", "b"):
        house.store(name, name.encode(), age=timedelta(days=8))
    replace(house, "warm", Refusing)
    monkeypatch.setattr(Refusing, "refused", StoreDenied(tier="warm", reason="access denied"))
    monkeypatch.setattr(Refusing, "realm", "elsewhere")
    counted = "tierkeeper_copies_failed_total", {"error": "StoreDenied", "tier": "warm"}
    before = REGISTRY.get_sample_value(*counted) or 0
    house.turn()
    assert (REGISTRY.get_sample_value(*counted) or 0) - before == 2
