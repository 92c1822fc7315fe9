"""What an acknowledged store rests on: copies in tiers whose mark is read now, never the catalog's word alone (R19)."""

from datetime import timedelta
from typing import cast

import pytest
from support.callers import TESTER
from support.house import House
from support.leading import away

from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import StoreError
from tierkeeper.values.artifacts import ItemError
from tierkeeper_client.contract import StoreArgs


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_copy_in_a_tier_that_is_away_acknowledges_nothing(house: House, how: str, name: str) -> None:
    """The same bytes again, under the same name or another, are refused as new bytes are; then stored."""
    house.store("a", b"bytes")
    with away(house, "hot", how):
        for content in (b"new bytes", b"bytes"):
            with pytest.raises(StoreError):
                house.store(name, content)
    house.store(name, b"bytes")
    assert house.read(name) == b"bytes"


def test_a_batch_acknowledges_nothing_of_a_tier_that_is_away(house: House) -> None:
    """An item of known bytes in a batch is refused too, beside one of new bytes."""
    house.store("a", b"bytes")
    items: list[StoreArgs | ItemError] = [house.args("b", b"bytes"), house.args("c", b"new bytes")]
    with away(house, "hot", "empty"):
        assert all(isinstance(o, ItemError) for o in house.keeper.artifacts.store_many(items, caller=TESTER))
    assert not any(isinstance(o, ItemError) for o in house.keeper.artifacts.store_many(items, caller=TESTER))


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_what_left_its_first_tier_rests_on_no_tier_that_is_away(house: House, how: str) -> None:
    """The same bytes of an archived artifact are kept where they can be, and taken away when its tier is back."""
    house.store("a", b"bytes")
    house.archive("a")
    house.settle()
    (last,) = house.tiers("a")
    assert last != "hot"
    with away(house, last, how):
        assert house.store("a", b"bytes").outcome == "unchanged"
        assert house.tiers("a") == {"hot", last}
        assert house.read("a") == b"bytes"
    house.settle()
    items: list[StoreArgs | ItemError] = [house.args("a", b"bytes"), house.args("a", b"bytes")]
    with away(house, last, how):
        assert not any(isinstance(o, ItemError) for o in house.keeper.artifacts.store_many(items, caller=TESTER))
    house.pass_time(timedelta(hours=1))
    house.settle()
    assert house.tiers("a") == {last}
    assert house.store("a", b"bytes").outcome == "unchanged"
    assert house.tiers("a") == {last}


def test_a_tier_that_is_not_configured_is_in_nobodys_way(house: House) -> None:
    """A copy in a tier that the settings no longer have is not relied on; its content is stored as new bytes are."""
    house.store("a", b"bytes")
    house.archive("a")
    house.settle()
    (last,) = house.tiers("a")
    house.sql("UPDATE placements SET tier = 'gone' WHERE tier = :tier", tier=last)
    items: list[StoreArgs | ItemError] = [house.args("c", b"new bytes"), house.args("d", b"bytes")]
    assert not any(isinstance(o, ItemError) for o in house.keeper.artifacts.store_many(items, caller=TESTER))
    assert house.store("b", b"bytes").tiers == ("hot",)
    assert house.store("a", b"bytes").outcome == "unchanged"
    assert house.read("b") == b"bytes"
    house.sql("UPDATE placements SET tier = :tier WHERE tier = 'gone'", tier=last)
    house.settle()


def test_the_answer_names_no_tier_that_is_away(house: House) -> None:
    """Copies in tiers that do not confirm are not among those that the answer says are there."""
    house.store("a", b"bytes")
    house.archive("a")
    house.settle()
    (last,) = house.tiers("a")
    with away(house, last, "empty"):
        assert house.store("b", b"bytes").tiers == ("hot",)
        assert house.store("a", b"bytes").tiers == ("hot",)
        assert house.store("b", b"bytes").tiers == ("hot",)
    assert house.store("c", b"bytes").tiers == ("hot", last) or house.store("c", b"bytes").tiers == (last, "hot")
    house.settle()


@pytest.mark.parametrize("known", [False, True])
def test_who_needs_a_tier_that_is_not_configured_is_refused_alone(house: House, *, known: bool) -> None:
    """A policy writes to such a tier first: its item of a batch is refused, be there a copy or not; the others not."""
    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    house.policy("name: away\nmatch: {name: 'x*'}\nphases: [{after: 0d, in: [warm]}, {after: 30d, in: []}]\n")
    if known:
        house.store("x0", b"bytes")
    gone = stores.pop("warm")
    items: list[StoreArgs | ItemError] = [house.args("x1", b"bytes"), house.args("a", b"other")]
    refused, kept = house.keeper.artifacts.store_many(items, caller=TESTER)
    assert isinstance(refused, ItemError)
    assert refused.error["error"] == "TierNotOurs"
    assert not isinstance(kept, ItemError)
    stores["warm"] = gone
    assert house.store("x1", b"bytes").tiers == ("warm",)
