"""Verify works through everything without holding the catalog while it reads, and finds its share by an index."""

from datetime import timedelta
from pathlib import Path

from support.callers import TESTER
from support.house import House, OpenHouse
from support.reconciling import overwrite

from tierkeeper.base import callers
from tierkeeper.base.states import ArtifactState
from tierkeeper.values.artifacts import Filter
from tierkeeper_client.contract import StoreManyArgs


def fill(house: House, number: int) -> None:
    """Store so many small artifacts."""
    items = [house.args(f"n{n:04}", b"%d" % n) for n in range(number)]
    house.keeper.artifacts.store_many(StoreManyArgs(items=items).items, caller=TESTER)


def test_no_connection_is_held_while_copies_are_read(open_house: OpenHouse, database_url: str) -> None:
    """With one connection in all, verify reads every page, and reports what is damaged."""
    house = open_house(catalog={"url": database_url, "pool_size": 1, "pool_overflow": 0, "timeout": "2s"})
    fill(house, 450)
    overwrite(house, "hot", b"other", "n0007")
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 449, "damaged": 1}
    overwrite(house, "hot", b"7", "n0007")
    house.sql("UPDATE placements SET damaged_at = NULL")
    assert house.keeper.sweeps.verify(filter=Filter(name="n00*"), caller=callers.BEAT).counts == {"verified": 100}
    assert house.keeper.sweeps.verify(share=1.0, caller=callers.BEAT).counts == {"verified": 450}


def test_nothing_is_held_between_artifacts_that_are_listed(open_house: OpenHouse, database_url: str) -> None:
    """With one connection in all, each artifact of a listing can be looked at while the listing goes on."""
    house = open_house(catalog={"url": database_url, "pool_size": 1, "pool_overflow": 0, "timeout": "2s"})
    fill(house, 501)
    names = [house.keeper.artifacts.show(view.ref).ref.name for view in house.keeper.artifacts.select(Filter())]
    assert names == [f"n{n:04}" for n in range(501)]
    assert len(list(house.keeper.artifacts.select(Filter(), limit=500))) == 500
    assert len(list(house.keeper.artifacts.select(Filter(), limit=3))) == 3


def test_the_daily_share_is_a_setting(open_house: OpenHouse, tmp_path: Path) -> None:
    """The share that the sweep reads each day comes from the settings."""
    house = open_house(verify={"share": 0.5}, home=tmp_path / "other")
    assert house.settings.verify.share == 0.5
    fill(house, 10)
    house.pass_time(timedelta(days=1))
    assert house.keeper.sweeps.verify(share=house.settings.verify.share, caller=callers.BEAT).counts == {"verified": 5}


def test_without_conditions_all_that_may_come_back_is_read(house: House) -> None:
    """What is deleted may be undeleted, so it is read too; what is purged never is, whichever state is asked for."""
    for name in ("live", "deleted", "purged"):
        house.store(name, name.encode())
    house.purge("purged")
    house.days_pass(30)
    house.turn()
    house.purge("deleted")
    assert house.show("purged").state == "purged"
    overwrite(house, "cold", b"DELETED", "deleted")
    assert house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 1, "damaged": 1}
    assert house.keeper.sweeps.verify(filter=Filter(state=ArtifactState.PURGED), caller=callers.BEAT).counts == {}
    overwrite(house, "cold", b"deleted", "deleted")
    house.keeper.sweeps.verify(caller=callers.BEAT)
