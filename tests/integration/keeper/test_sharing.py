"""Artifacts that share content: what one no longer wants stays while another wants it (R7)."""

from datetime import timedelta

from support.house import House, OpenHouse

HOT = "name: hot\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 7d"


def test_a_copy_stays_while_one_wants_it(house: House) -> None:
    """Of two artifacts with one content, the older moves to warm and the younger keeps the hot copy."""
    house.store("old", b"shared", age=timedelta(days=8))
    house.store("new", b"shared", age=timedelta(days=1))
    house.settle()
    assert house.tiers("new") == house.tiers("old") == {"hot", "warm"}
    house.days_pass(6.5)
    house.settle()
    assert house.tiers("new") == {"warm"}
    assert house.read("new") == house.read("old") == b"shared"


def test_a_purge_leaves_the_others_content(house: House) -> None:
    """Purging one of two artifacts leaves the content; purging the second too destroys it, with a receipt for each."""
    house.store("a", b"shared")
    house.store("b", b"shared")
    house.purge("a")
    house.days_pass(8)
    house.settle()
    assert house.show("a").state == "purged"
    assert house.read("b") == b"shared"
    assert "destroyed" not in house.events("a")
    house.purge("b")
    house.days_pass(8)
    house.turn()
    house.collect()
    assert house.everything() == []
    assert house.events("a")[-1] == house.events("b")[-1] == "destroyed"


def test_a_deleted_artifact_keeps_its_copy_for_undelete(house: House) -> None:
    """Within its undo window a deleted artifact's tiers stay wanted (R8), whatever becomes of its twin."""
    house.store("a", b"shared", age=timedelta(days=1))
    house.store("b", b"shared", age=timedelta(days=6))
    house.purge("a")
    house.days_pass(2)
    house.settle()
    assert house.tiers("b") == {"hot", "warm"}
    house.undelete("a")
    house.days_pass(6)
    house.settle()
    assert house.tiers("b") == {"warm"}


def test_a_purged_name_leaves_the_path(house: House) -> None:
    """Where locations carry names, content that another artifact still needs gets a copy under a live name."""
    house.policy(HOT)
    house.store("secret-customer", b"shared")
    house.store("public", b"shared")
    assert "secret-customer" in house.everything()[0]
    house.purge("secret-customer")
    house.days_pass(8)
    house.settle()
    (left,) = house.everything()
    assert "public" in left
    assert house.read("public") == b"shared"


def test_content_addresses_stay(open_house: OpenHouse) -> None:
    """Where locations carry no name, a purge of one of two artifacts moves nothing."""
    house = open_house(tiers={"hot": {"options": {"layout": "cas"}}})
    house.policy(HOT)
    house.store("a", b"shared")
    house.store("b", b"shared")
    before = house.everything()
    house.purge("a")
    house.days_pass(8)
    house.settle()
    assert house.everything() == before


def test_a_name_is_stored_while_its_twin_is_purged(open_house: OpenHouse) -> None:
    """New content equal to what was just doomed rescues the copy or makes one; either way it reads back."""
    house = open_house(engine={"grace": "1h"})
    house.policy(HOT.replace("undo: 7d", "undo: 0d"))
    house.store("a", b"shared")
    house.purge("a")
    assert [p.state.value for p in house.show("a").placements] == ["doomed"]
    house.store("b", b"shared")
    assert house.read("b") == b"shared"
    house.pass_time(timedelta(hours=2))
    house.settle()
    assert all("/b/" in location for location in house.everything())
