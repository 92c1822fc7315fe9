"""What must not be removed: holds, retention, locks, the switch that stops deletes."""

from datetime import timedelta

import pytest
from support.house import House, OpenHouse

from tierkeeper.base.errors import DeletesDisabled, HeldArtifact, PolicyInvalid

LOCKED = """
name: locked
match: {tenant: acme}
phases:
  - {after: 0d, in: [hot]}
  - {after: 1d, in: [cold]}
retention: {mode: governance, for: 30d, in: [cold]}
undo: 0d
"""


def test_a_hold_refuses_a_purge(house: House) -> None:
    """A held artifact can't be purged; the error names the hold. After the release it can."""
    house.store()
    house.hold()
    with pytest.raises(HeldArtifact, match="lawsuit"):
        house.purge()
    assert house.show().state == "live"
    house.release()
    house.purge()
    assert house.show().state == "deleted"


def test_a_hold_stops_the_policy(house: House) -> None:
    """A held artifact still moves from tier to tier, and its policy's purge waits for the release."""
    house.store(age=timedelta(days=20))
    house.hold()
    house.settle()
    house.days_pass(71)
    house.settle()
    assert (house.show().state.value, house.tiers()) == ("live", {"cold"})
    assert "lawsuit" in " ".join(house.keeper.artifacts.explain(house.ref()).blocked)
    house.release()
    house.turn()
    assert house.show().state == "deleted"


def test_a_hold_in_the_undo_window_keeps_the_content(house: House) -> None:
    """An artifact that was deleted and then held is not destroyed when its undo window ends."""
    house.store()
    house.purge()
    house.hold()
    house.days_pass(8)
    house.settle()
    assert house.show().state == "deleted"
    assert house.read(deleted=True) == b"content"
    house.release()
    house.settle()
    assert house.show().state == "purged"
    assert house.everything() == []


def test_a_hold_keeps_the_last_copy_of_purged_content(open_house: OpenHouse) -> None:
    """Collect asks again right before the delete: the last copy of content that is held by then stays."""
    house = open_house(engine={"grace": "1h"})
    house.policy("name: now\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 0d")
    house.store()
    house.purge()
    assert house.show().state == "purged"
    house.hold()
    house.pass_time(timedelta(hours=2))
    assert house.collect().counts == {"kept: protected": 1}
    assert len(house.everything()) == 1
    house.release()
    assert house.collect().counts["collected"] == 1


def test_deletes_can_be_switched_off(house: House) -> None:
    """With deletes switched off collect deletes nothing and says why; everything else goes on."""
    house.store(age=timedelta(days=8))
    house.sql("UPDATE switches SET value = 'false', reason = 'an audit' WHERE name = 'deletes_enabled'")
    house.turn()
    assert house.tiers() == {"warm"}
    with pytest.raises(DeletesDisabled, match="an audit"):
        house.collect()
    assert len(house.everything()) == 2
    house.sql("UPDATE switches SET value = 'true' WHERE name = 'deletes_enabled'")
    house.settle()


def test_retention_needs_a_store_that_locks(house: House) -> None:
    """A policy with retention on a tier that can't lock is refused, with its line."""
    with pytest.raises(PolicyInvalid, match="cannot lock"):
        house.policy(LOCKED)
