"""What a verb says of copies that are there: it counts those in tiers whose mark is read now, and no others (R19)."""

import pytest
from support.house import LEASES_END, House, restored
from support.leading import away

from tierkeeper.base.errors import AlreadyThere
from tierkeeper.base.states import Outcome
from tierkeeper.stores.errors import StoreError
from tierkeeper.values.artifacts import VerbResult


def told(results: list[VerbResult]) -> tuple[Outcome, tuple[str, ...], bool]:
    """What came out, where copies are, and whether one is said not to count."""
    (result,) = results
    return result.outcome, result.present, "not counted: the tier is away" in result.detail


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_restored_copy_is_not_counted_while_its_tier_is_away(any_house: House, how: str) -> None:
    """The wish stands, and the copy is not said to be there."""
    house = restored(any_house, b"bytes", to_tier="warm")
    assert told(house.restore(to_tier="warm")) == (Outcome.DONE, ("warm", "cold"), False)
    with away(house, "warm", how):
        house.keeper.engine.marks.refresh()  # a reading of a moment ago would do
        assert told(house.restore(to_tier="warm")) == (Outcome.DONE, ("cold",), True)
        assert told(house.purge()) == (Outcome.DONE, ("warm", "cold"), False)  # who deletes relies on no copy
        assert told(house.undelete()) == (Outcome.DONE, ("cold",), True)
    house.settle()
    assert house.tiers() == {"warm", "cold"}


def test_a_move_to_where_it_is_asks_the_tier(any_house: House) -> None:
    """Nothing to do is an answer that rests on the copy: its tier's own error comes while that is away."""
    house = any_house
    house.store()
    house.archive()
    house.settle()
    before = house.events()
    assert told(house.archive()) == (Outcome.NOTHING, ("cold",), False)
    with pytest.raises(AlreadyThere):
        house.promote("a", "cold")
    with away(house, "cold", "empty"):
        house.keeper.engine.marks.refresh()
        with pytest.raises(StoreError, match="cold"):
            house.archive()
        with pytest.raises(StoreError, match="cold"):
            house.promote("a", "cold")
    assert (house.events(), house.read()) == (before, b"content")


def test_of_several_versions_those_that_moved_are_told(house: House) -> None:
    """One version has nothing to do and its tier is away; what became of the others is told all the same."""
    house.store()
    house.archive()
    house.settle()
    house.store(content=b"two")
    with away(house, "cold", "empty"):
        outcomes = {r.ref.version: r.outcome for r in house.archive(all_versions=True)}
    assert outcomes == {1: Outcome.NOTHING, 2: Outcome.DONE}
    house.pass_time(LEASES_END)
    house.settle()
    assert house.tiers() == {"cold"}
