"""Whether a tier can lock is asked before a commit, and is not guessed where the tier does not tell."""

from datetime import datetime, timedelta
from typing import cast

import psycopg
import pytest
from support.around import Around
from support.house import House, OpenHouse

from tierkeeper.base.states import RetentionMode
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import StoreTransient

RETAINED = """
name: retained
match: {tenant: acme}
phases:
  - {after: 0d, in: [hot]}
  - {after: 1d, in: [cold]}
retention: {mode: governance, for: 30d, in: [cold]}
"""
EVERYWHERE = f"{RETAINED.replace('[hot]', '[hot, cold]')}write: all\n"
_OPEN = """
    SELECT count(*)
    FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""


class Asked(Around):
    """A tier that locks, and notes how many transactions are open whenever it is asked whether it can."""

    def __init__(self, inner: Store, url: str) -> None:
        super().__init__(inner)
        self.url, self.silent = url, False
        self.transactions: list[int] = []

    @property
    def can_lock(self) -> bool:
        with psycopg.connect(self.url) as connection:
            self.transactions.append(connection.execute(_OPEN).fetchone()[0])  # type: ignore[index]  # of a count
        self._answer()
        return True

    def extend(self, key: ObjectKey, *, until: datetime, mode: RetentionMode) -> datetime:
        del key, mode
        self._answer()
        return until

    def _answer(self) -> None:
        if self.silent:
            raise StoreTransient(tier="cold", reason="no answer")


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    """A house whose cold tier locks."""
    return open_house()


@pytest.fixture
def cold(house: House) -> Asked:
    """The cold tier, under a policy that retains in it."""
    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    assert house.settings.catalog.url is not None
    asked = stores["cold"] = Asked(stores["cold"], house.settings.catalog.url)
    house.policy(RETAINED)
    asked.transactions.clear()
    return asked


def locked(house: House, name: str = "a") -> list[bool]:
    """Whether the copies in cold are known to be locked."""
    return [p.locked_until is not None for p in house.show(name).placements if p.tier == "cold"]


@pytest.mark.parametrize("policy", [RETAINED, EVERYWHERE])
def test_no_tier_is_asked_within_a_commit(house: House, cold: Asked, policy: str) -> None:
    """A tier that answers slowly keeps no lock of the catalog's: of a store's commit, or of a move's."""
    house.policy(policy)
    cold.transactions.clear()
    house.store(age=timedelta(days=2))
    house.turn()
    assert locked(house) == [True]
    assert cold.transactions == [0] * len(cold.transactions) != []


@pytest.mark.parametrize("policy", [RETAINED, EVERYWHERE])
def test_the_lock_of_a_silent_tier_is_missing(house: House, cold: Asked, policy: str) -> None:
    """That it cannot lock is not known: the copy is committed, others too, and due until its lock is set."""
    house.policy(policy)
    cold.silent = True
    house.store(age=timedelta(days=2))
    house.store("b", b"b", workflow="others")
    house.turn()
    assert (locked(house), house.tiers()) == ([False], {"cold"})
    cold.silent = False
    house.pass_time(timedelta(minutes=3))
    house.turn()
    assert locked(house) == [True]
