"""Copies that are missing or damaged: reads fall back, verify finds them, converge makes them anew."""

from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from support.copy_files import file_of, flip
from support.house import House, OpenHouse, restored, without_bucket
from support.reconciling import CONTENT

from tierkeeper.base import callers
from tierkeeper.base.errors import ContentCorrupt, NoReadableCopy
from tierkeeper.base.states import PlacementState
from tierkeeper.stores.s3.store import S3Store


def test_a_missing_copy_is_passed_over(house: House) -> None:
    """A read takes the next copy where the hottest is gone; the gone one is made anew by the next turn."""
    restored(house, CONTENT)
    file_of(house, "hot").unlink()
    assert house.read() == CONTENT
    assert house.events()[-1] == "damaged"
    house.settle()
    assert file_of(house, "hot").read_bytes() == CONTENT


def test_a_damaged_copy_is_found_by_reading(house: House, tmp_path: Path) -> None:
    """A damaged copy is never given out as whole: a stream ends in an error, a fetch takes the next copy."""
    restored(house, CONTENT)
    flip(file_of(house, "hot"))
    with pytest.raises(ContentCorrupt):
        house.read()
    target = tmp_path / "out"
    house.keeper.artifacts.fetch(house.ref(), target)
    assert target.read_bytes() == CONTENT
    house.settle()
    assert file_of(house, "hot").read_bytes() == CONTENT
    assert house.read() == CONTENT


def test_a_fetch_leaves_nothing_when_no_copy_is_good(house: House, tmp_path: Path) -> None:
    """When every copy is damaged, a fetch says so and leaves no file, not even a part."""
    house.store(content=CONTENT)
    copy = file_of(house, "hot")
    good = copy.read_bytes()
    flip(copy)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(NoReadableCopy):
        house.keeper.artifacts.fetch(house.ref(), folder / "file")
    assert list(folder.iterdir()) == []
    copy.write_bytes(good)
    house.sql("UPDATE placements SET damaged_at = NULL")


def test_verify_finds_flipped_bytes(house: House) -> None:
    """Verify reads every copy; the damaged one is reported by name and tier, and repaired by the next turn."""
    restored(house, CONTENT)
    house.store("b", b"another")
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 3}
    flip(file_of(house, "cold"))
    result = house.keeper.sweeps.verify(caller=callers.BEAT)
    assert (result.counts, result.errors) == ({"verified": 2, "damaged": 1}, 1)
    assert result.failures[0].ref.name == "a"
    assert "cold" in result.failures[0].error["message"]
    house.settle()
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 3}


def test_verify_takes_a_share_in_turns(house: House) -> None:
    """Verifying a tenth at a time reads those that were read longest ago, and so everything in ten calls."""
    for number in range(10):
        house.store(f"n{number}", b"%d" % number)
    for _ in range(10):
        assert house.keeper.sweeps.verify(share=0.1, caller=callers.BEAT).counts == {"verified": 1}
    (row,) = house.sql("SELECT count(*) AS n FROM placements WHERE verified_at <= made_at + interval '1 ms'")
    (least,) = house.sql("SELECT min(verified_at) > max(made_at) AS later FROM placements")
    assert (row.n, least.later) == (0, True)


def test_a_damaged_copy_is_not_spread(house: House) -> None:
    """A move whose only source is damaged does not happen; the damage is reported and nothing is removed."""
    house.store(content=CONTENT, age=timedelta(days=8))
    copy = file_of(house, "hot")
    good = copy.read_bytes()
    flip(copy)
    house.turn()
    assert house.collect().counts.get("collected", 0) == 0
    present = [p for p in house.show().placements if p.state is PlacementState.PRESENT]
    assert [(p.tier, p.damaged_at is None) for p in present] == [("hot", False)]
    assert "damaged" in house.events()
    copy.write_bytes(good)
    house.sql("UPDATE placements SET damaged_at = NULL")
    house.pass_time(timedelta(minutes=10))
    house.settle()
    assert house.tiers() == {"warm"}


def test_storing_again_heals(house: House) -> None:
    """Storing the same content again brings good bytes to an artifact whose only copy is damaged."""
    house.store(content=CONTENT)
    flip(file_of(house, "hot"))
    house.keeper.sweeps.verify(caller=callers.BEAT)
    assert house.store(content=CONTENT).outcome == "unchanged"
    house.settle()
    assert house.read() == CONTENT


def test_a_tier_that_is_down_stops_only_its_own(open_house: OpenHouse, s3_endpoint: str) -> None:
    """While a tier does not answer, what needs it waits with its reason, and everything else goes on."""
    house = open_house(
        tiers={"cold": {"url": f"s3://cold-bucket?endpoint={s3_endpoint}", "options": {"attempts": "1"}}},
    )
    house.store("colder", b"1", age=timedelta(days=40))
    house.store("warmer", b"2", age=timedelta(days=8))
    with without_bucket(cast("S3Store", house.keeper.engine.store("cold"))):
        run = house.keeper.sweeps.rotate(caller=callers.BEAT)
        assert run is not None
        result = house.keeper.sweeps.converge_due(run, deadline=0)
        assert result.more
        result = house.keeper.sweeps.converge_due(run)
        assert result.counts["promoted_to_warm"] == 1
        assert result.failures[0].ref.name == "colder"
        assert house.tiers("colder") == {"hot"}
        assert house.collect().counts["collected"] == 1
    house.pass_time(timedelta(minutes=10))
    house.settle()
    assert house.tiers("colder") == {"cold"}
