"""Bits that flip in the bytes or in the rows: found, never handed out, made anew where another copy is right."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from faults import life
from faults.ward import lying
from support.house import House
from support.scale import Scale

from tierkeeper.base import callers
from tierkeeper.base.errors import ContentCorrupt, NoReadableCopy

CONTENT = bytes(range(256)) * 8
Harm = Callable[[Path, random.Random], None]


def flip(path: Path, chance: random.Random) -> None:
    """One bit."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    replace(path, bytes(content))


def truncate(path: Path, chance: random.Random) -> None:
    """The end is missing."""
    replace(path, path.read_bytes()[: chance.randrange(1, path.stat().st_size)])


def lengthen(path: Path, chance: random.Random) -> None:
    """There is more than there should be."""
    replace(path, path.read_bytes() + chance.randbytes(1 + chance.randrange(10)))


def empty(path: Path, _chance: random.Random) -> None:
    """Nothing is in it."""
    replace(path, b"")


def vanish(path: Path, _chance: random.Random) -> None:
    """Nothing is there."""
    path.unlink()


HARMS = [flip, truncate, lengthen, empty, vanish]


def replace(path: Path, content: bytes) -> None:
    """Write where nobody may write."""
    path.chmod(0o600)
    path.write_bytes(content)


def copies(house: House, name: str) -> dict[str, Path]:
    """Return the file of each present copy of an artifact."""
    rows = house.sql(
        "SELECT p.tier, p.location FROM placements p JOIN artifacts a ON a.blob_id = p.blob_id"
        " WHERE a.id = :id AND p.state = 'present'",
        id=house.show(name).id,
    )
    return {row.tier: Path(urlsplit(house.settings.tiers[row.tier].url).path) / row.location for row in rows}


def two_copies(house: House, name: str, content: bytes) -> None:
    """Store an artifact that has a copy in hot and one in warm."""
    house.store(name, content, age=timedelta(days=8))
    house.turn()
    house.restore(name)


@pytest.mark.parametrize("tier", ["hot", "warm"])
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_verify_finds_it(house: House, harm: Harm, tier: str, chance: random.Random) -> None:
    """A verify finds the one bad copy among two, the sweep makes it anew from the other, and tells it once."""
    house.policy(life.POLICY)
    two_copies(house, "a", CONTENT)
    harm(copies(house, "a")[tier], chance)
    result = house.keeper.sweeps.verify(caller=callers.BEAT)
    assert (result.counts, result.errors) == ({"verified": 1, "damaged": 1}, 1)
    house.settle()
    assert lying(house) == {"hot": 1, "warm": 1}
    assert {path.read_bytes() for path in copies(house, "a").values()} == {CONTENT}
    assert Counter(house.events("a"))["damaged"] == 1
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2}


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_read_finds_it(house: House, harm: Harm, chance: random.Random) -> None:
    """A reader gets the right bytes or an error, never the wrong ones; then the copy is made anew."""
    house.policy(life.POLICY)
    two_copies(house, "a", CONTENT)
    harm(copies(house, "a")["hot"], chance)
    for _ in range(2):
        try:
            read = house.read("a")
        except ContentCorrupt:
            continue
        assert read == CONTENT
    assert house.read("a") == CONTENT
    house.settle()
    assert {path.read_bytes() for path in copies(house, "a").values()} == {CONTENT}
    assert set(copies(house, "a")) == {"hot", "warm"}


def test_many_of_them(house: House, chance: random.Random, scale: Scale) -> None:
    """Of many artifacts exactly those are found whose copy was hurt, and each of them is repaired."""
    house.policy(life.POLICY)
    names = [f"a{number}" for number in range(scale(short=12, long=120))]
    for name in names:
        two_copies(house, name, name.encode() * 20)
    hurt = chance.sample(names, len(names) // 2)
    for name in hurt:
        chance.choice(HARMS)(copies(house, name)[chance.choice(["hot", "warm"])], chance)
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {
        "verified": 2 * len(names) - len(hurt),
        "damaged": len(hurt),
    }
    house.settle()
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2 * len(names)}
    assert {name for name in names if "damaged" in house.events(name)} == set(hurt)


@pytest.mark.parametrize("harm", [flip, truncate, empty], ids=lambda harm: harm.__name__)
def test_the_only_copy(house: House, harm: Harm, chance: random.Random) -> None:
    """Where no other copy is, what is left of it is handed to nobody and deleted by nobody; a new store heals it."""
    house.policy(life.POLICY)
    house.store("a", CONTENT)
    [path] = copies(house, "a").values()
    harm(path, chance)
    hurt = path.read_bytes()
    with pytest.raises((ContentCorrupt, NoReadableCopy)):
        house.read("a")
    house.keeper.sweeps.verify(caller=callers.BEAT)
    for _ in range(3):
        house.turn()
        house.collect()
        house.days_pass(2)
    assert path.read_bytes() == hurt
    house.store("a", CONTENT)
    house.settle()
    assert house.read("a") == CONTENT
    assert not path.exists()


def test_a_row_whose_checksum_flipped(house: House) -> None:
    """An artifact whose row tells another checksum can't be read, and no copy of it is touched until that is mended."""
    house.policy(life.POLICY)
    two_copies(house, "a", CONTENT)
    before = copies(house, "a")
    right = house.sql("SELECT sha256 FROM artifacts")[0].sha256
    wrong = bytes([right[0] ^ 1]) + bytes(right[1:])

    def write(checksum: bytes) -> None:
        with house.keeper.engine.catalog.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # the walls forbid it
            connection.exec_driver_sql("UPDATE artifacts SET sha256 = %s", (checksum,))

    write(wrong)
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"damaged": 2}
    with pytest.raises((ContentCorrupt, NoReadableCopy)):
        house.read("a")
    for _ in range(3):
        house.turn()
        house.collect()
        house.days_pass(2)
    assert {path.read_bytes() for path in before.values()} == {CONTENT}
    write(right)
    house.store("b", CONTENT)  # who has the content brings it back for both
    house.days_pass(1)
    house.settle()
    assert house.read("a") == house.read("b") == CONTENT
