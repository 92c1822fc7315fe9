"""Reconcile lists a store before it asks the catalog, and asks again before it misses a copy (R4)."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from support.house import House
from support.reconciling import reconcile
from support.slow_worker import Slow

from tierkeeper.stores.base import ObjectKey, Store, Stored

WEEK = timedelta(days=8)  # old enough for warm, by the default policy


def before_listing(store: Store, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen after a look has begun and right before the store is listed."""
    _listing(store, happens, lambda: None, monkeypatch)


def after_listing(store: Store, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen right after the store was listed."""
    _listing(store, lambda: None, happens, monkeypatch)


def _listing(
    store: Store, before: Callable[[], object], after: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = store.list

    def listing(prefix: str = "") -> Iterator[Stored]:
        if prefix:  # the epoch's twins: the look has not begun
            yield from original(prefix)
            return
        monkeypatch.setattr(store, "list", original)
        before()
        yield from original(prefix)
        after()

    monkeypatch.setattr(store, "list", listing)


def before_heads(store: Store, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen right before the store is asked about single copies."""
    original = store.head

    def heading(key: ObjectKey) -> Stored:
        monkeypatch.setattr(store, "head", original)
        happens()
        return original(key)

    monkeypatch.setattr(store, "head", heading)


def test_what_is_stored_before_the_listing_is_no_orphan(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that were written after the look began are listed, and their row is found: it is looked up afterwards."""
    before_listing(house.keeper.engine.store("hot"), lambda: house.store("new", b"new"), monkeypatch)
    result, found = reconcile(house, tiers=["hot"])
    assert found == []
    assert [tier.listed for tier in result.tiers] == [1]


def test_what_goes_after_it_was_missed_is_not_missing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that came after the listing and was collected before it was asked for: its row is read again."""
    house.store(age=WEEK)
    worker, store = Slow(house).claim().intend(), house.keeper.engine.store("warm")

    def goes() -> None:
        house.promote("a", "cold")
        assert house.collect().counts["collected"]

    after_listing(store, lambda: worker.copy().commit(), monkeypatch)
    before_heads(store, goes, monkeypatch)
    _, found = reconcile(house, tiers=["warm"])
    assert found == []
    assert house.tiers() == {"cold"}
