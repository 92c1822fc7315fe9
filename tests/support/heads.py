"""Tiers whose HEADs are counted, and may go unanswered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.around import Around
from support.house import House
from support.missing import stand_before
from tierkeeper.engine.collect.deletable import Verdict
from tierkeeper.stores.base import ObjectKey, Store, Stored
from tierkeeper.stores.errors import StoreTransient

#: what collect counts where a copy that stays did not show itself
UNSEEN = Verdict.UNSEEN.value


class Heads(Around):
    """Counts the calls of HEAD, and may do something at one."""

    def __init__(self, inner: Store, at_head: Callable[[], None] = lambda: None) -> None:
        super().__init__(inner)
        self.calls, self.at_head = 0, at_head

    def head(self, key: ObjectKey) -> Stored:
        self.calls += 1
        found = self.inner.head(key)
        self.at_head()
        return found


def counting(house: House, tier: str = "warm", at_head: Callable[[], None] = lambda: None) -> Heads:
    """Count a tier's HEADs."""
    store = Heads(house.keeper.engine.store(tier), at_head)
    stand_before(house, tier, store)
    return store


@contextmanager
def silent(house: House, tier: str) -> Iterator[Heads]:
    """A tier gives no answer to a HEAD."""

    def refuse() -> None:
        raise StoreTransient(tier=tier, reason="503 SlowDown")

    before = house.keeper.engine.store(tier)
    try:
        yield counting(house, tier, refuse)
    finally:
        stand_before(house, tier, before)
