"""What a copy takes along from its source, and a batch in which some content is gone before it is copied."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support import crashing
from support.callers import TESTER
from support.copy_files import file_of
from support.house import LEASES_END, House
from support.slow_worker import Slow

from tierkeeper.base.errors import NoReadableCopy
from tierkeeper.base.states import Outcome
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.filesystem.store import FilesystemStore

WEEK = timedelta(days=8)  # old enough for warm, by the default policy


def in_hot_and_cold(house: House) -> None:
    """An artifact in hot and cold, each copy sealed in a way of its own, that is to be copied to warm too."""
    house.store(content=b"sealed")
    house.restore(to_tier="cold")
    house.settle()
    for tier in ("hot", "cold"):
        house.sql(
            "UPDATE placements SET cipher = 'of ' || tier, wrapped_key = CAST('key of ' || tier AS bytea),"
            " key_id = 'id of ' || tier, compression = 'zip of ' || tier WHERE tier = :tier",
            tier=tier,
        )


def sealed(house: House, tier: str) -> tuple[str, bytes, str, str]:
    """How the copy in a tier is sealed."""
    (row,) = house.sql(
        "SELECT cipher, wrapped_key, key_id, compression FROM placements WHERE tier = :tier AND state = 'present'",
        tier=tier,
    )
    return row.cipher, bytes(row.wrapped_key), row.key_id, row.compression


def unseal(house: House) -> None:
    """Take back how the copies are said to be sealed: their bytes are the content, and are read as that."""
    house.sql("UPDATE placements SET cipher = NULL, wrapped_key = NULL, key_id = NULL, compression = NULL")


def of(tier: str) -> tuple[str, bytes, str, str]:
    """How the copy of a tier was sealed by this test."""
    return f"of {tier}", f"key of {tier}".encode(), f"id of {tier}", f"zip of {tier}"


def test_a_copy_inherits_from_the_source_that_was_read(house: House) -> None:
    """Cipher, key and compression come from the copy whose bytes were taken, not from the one tried first (R6)."""
    in_hot_and_cold(house)
    house.promote("a", "warm")
    house.turn()
    assert sealed(house, "warm") == of("hot")
    unseal(house)


def test_a_copy_inherits_from_the_second_source_where_the_first_is_gone(house: House) -> None:
    """Where the first source has no bytes, the copy is sealed as the second one is, whose bytes it has (R6)."""
    in_hot_and_cold(house)
    file_of(house, "hot").unlink()
    house.promote("a", "warm")
    house.turn()
    assert sealed(house, "warm") == of("cold")
    unseal(house)


def test_a_form_that_is_not_known_is_not_read_as_content(house: House) -> None:
    """Who reads is told that this release cannot open the copies; their stored bytes are right, and none is damaged."""
    in_hot_and_cold(house)
    with pytest.raises(NoReadableCopy, match=r"a form that this release cannot open \(cipher of hot, compression zip"):
        house.read()
    assert house.keeper.sweeps.verify(caller=TESTER).counts == {"verified": 2}
    file_of(house, "cold").write_bytes(b"sealeD")
    assert house.keeper.sweeps.verify(caller=TESTER).counts == {"verified": 1, "damaged": 1}
    unseal(house)
    house.settle()


def test_content_that_is_gone_does_not_stop_its_batch(house: House) -> None:
    """A worker that pauses between its decision and its intents finds one content destroyed; the other still moves."""
    house.policy(
        "name: quick\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}]\nundo: 0s\n"
    )
    house.store("gone", b"gone", age=WEEK)
    house.store("stays", b"stays", age=WEEK)
    slow = Slow(house).claim()
    plan = slow.decide()
    house.purge("gone")
    house.days_pass(1)
    house.turn()
    house.collect()
    assert house.sql("SELECT blob_id FROM artifacts WHERE state = 'purged'")[0].blob_id is None
    results = slow.intend(plan).copy().commit()
    assert house.tiers("stays") == {"warm"}
    assert sorted(r.outcome for r in results.values()) == [Outcome.NOTHING, Outcome.NOTHING]
    house.settle()


class Liar(FilesystemStore):
    """A folder that says of whatever it wrote that it has another hash."""

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        return replace(super().copy(source, key, location, info), sha256=bytes(32))


def test_a_copy_that_its_store_says_is_another_is_not_committed(house: House) -> None:
    """Where the target says that it has other bytes than were sent, nothing moves and nothing is removed."""
    house.store(age=WEEK)
    stores: Any = house.keeper.engine.stores
    honest = stores["warm"]
    stores["warm"] = Liar.from_url(honest.config)
    house.turn()
    assert house.tiers() == {"hot"}
    stores["warm"] = honest
    house.pass_time(LEASES_END)
    house.settle()
    assert house.tiers() == {"warm"}


class Late(FilesystemStore):
    """A folder in which the copy that a reader was sent to is gone when it arrives; others moved it meanwhile."""

    meanwhile: Callable[[], object]

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        self.meanwhile()
        with super().open(key, offset=offset, length=length) as pieces:
            yield pieces


def test_a_copy_that_vanished_while_it_was_read_is_no_damage(house: House) -> None:
    """A reader whose copy was moved and collected meanwhile asks the catalog again, and reports nothing (R4)."""
    house.store()
    stores: Any = house.keeper.engine.stores
    honest = stores["hot"]
    late = stores["hot"] = Late.from_url(honest.config)

    def move() -> None:
        stores["hot"] = honest
        house.promote("a", "warm")
        deleting = crashing.Step("tierkeeper.engine.collect.collect", "step_3_delete")
        with crashing.crashing(deleting, "after"), pytest.raises(crashing.Crash):
            house.collect()

    late.meanwhile = move
    assert house.read() == b"content"
    assert "damaged" not in house.events()
    house.pass_time(LEASES_END)
    house.settle()
