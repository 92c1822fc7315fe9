"""Copies in an archive class that nothing names are judged by their server's SHA-256, and are not thawed (R16, R21)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from support.around import Around
from support.doubting import pins, vouched
from support.heads import UNSEEN
from support.house import House
from support.leading import damaged
from support.missing import stand_before, states
from support.reconciling import CONTENT

from tierkeeper.engine.collect import survivors
from tierkeeper.engine.recovery import adopt
from tierkeeper.stores.base import ObjectKey, Store, Stored
from tierkeeper.stores.errors import ThawNeeded

MOVED = '"00000000000000000000000000000000"'  # an ETag that another bucket gave


class Archive(Around):
    """A tier whose copies must be thawed first; ``tells``: it has SHA-256s."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.thawed, self.tells = 0, True

    @property
    def must_thaw(self) -> bool:
        return True

    def head(self, key: ObjectKey) -> Stored:
        found = self.inner.head(key)
        return found if self.tells else replace(found, sha256=None)

    @contextmanager
    def open(self, key: ObjectKey, **_more: object) -> Any:  # noqa: ANN401  it never gives anything
        self.thawed += 1
        raise ThawNeeded(tier=self.config.tier, location=key.location, after="12 hours")
        yield


@pytest.fixture
def archive(moved: House) -> Iterator[Archive]:
    """The copy that stays lies there, and has no name."""
    moved.sql("UPDATE placements SET pin = NULL WHERE tier = 'warm'")
    made = Archive(moved.keeper.engine.store("warm"))
    stand_before(moved, "warm", made)
    yield made
    stand_before(moved, "warm", made.inner)


def test_it_is_seen_by_its_servers_sha256(moved: House, archive: Archive) -> None:
    """It has the pin of that look then, and nothing was thawed."""
    assert moved.collect().counts == {"collected": 1, survivors.READS: 1}
    assert (archive.thawed, None in pins(moved)) == (0, False)


def test_without_one_it_was_not_seen(moved: House, archive: Archive) -> None:
    """Where the server tells no SHA-256 the other copy stays, and nothing was thawed."""
    archive.tells = False
    assert moved.collect().counts[UNSEEN] == 1
    assert (archive.thawed, states(moved)["hot"], pins(moved)) == (0, "doomed", [None])


def test_another_sha256_is_damage(moved: House, archive: Archive) -> None:
    """Other bytes of equal length are reported, and the other copy stays."""
    store, location = bucket_of(moved, archive)
    store.place.client.put_object(
        **store.place.address(location, None), Body=b"x" * len(CONTENT), ChecksumAlgorithm="SHA256"
    )
    assert moved.collect().counts["damaged"] == 1
    assert (archive.thawed, states(moved)["hot"]) == (0, "doomed")
    stand_before(moved, "warm", archive.inner)
    moved.settle()


def test_a_refused_pin_thaws_nothing(moved: House, archive: Archive) -> None:
    """The bucket was moved: the server's SHA-256 vouches for the copy under its new ETag, and nobody has read it."""
    moved.sql("UPDATE placements SET pin = :pin, vouched = 'pinned', verified_at = NULL WHERE tier = 'warm'", pin=MOVED)
    moved.collect()
    assert (archive.thawed, vouched(moved, "warm")[0], MOVED in pins(moved)) == (0, "server", False)
    (told,) = moved.sql("SELECT after FROM events WHERE type = 'repinned'")
    assert told.after["vouched"] == "server"
    assert moved.collect().counts["collected"] == 1
    assert archive.thawed == 0


def test_a_refused_pin_without_a_sha256_is_not_known(moved: House, archive: Archive) -> None:
    """It is neither damaged nor seen."""
    archive.tells = False
    moved.sql("UPDATE placements SET pin = :pin WHERE tier = 'warm'", pin=MOVED)
    assert moved.collect().counts[UNSEEN] == 1
    assert (archive.thawed, damaged(moved), states(moved)["hot"]) == (0, 0, "doomed")
    stand_before(moved, "warm", archive.inner)
    moved.collect()  # it is read, and has another name
    moved.settle()


def test_what_is_taken_over_has_a_name(moved: House, archive: Archive) -> None:
    """The HEAD that told the SHA-256 told the ETag of the same bytes."""
    store, location = bucket_of(moved, archive)
    key = ObjectKey(location)
    info = store.describe(key)
    assert info is not None
    one = adopt.Object("warm", location, None, info.size)
    who, pin = adopt._vouched(moved.keeper.engine, one, info)
    assert (who, pin) == ("server", store.head(key).pin)
    assert pin is not None


def bucket_of(house: House, archive: Archive) -> tuple[Any, str]:
    """The bucket behind it, and where its copy lies."""
    (row,) = house.sql("SELECT location FROM placements WHERE tier = 'warm'")
    return archive.inner, row.location
