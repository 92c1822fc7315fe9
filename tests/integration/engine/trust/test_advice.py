"""What a tier that is not there is said to need: nothing that ``tierkeeper init`` then refuses."""

import pytest
from support.house import House
from support.leading import away

from tierkeeper.base import callers
from tierkeeper.stores import advice
from tierkeeper.stores.errors import TierNotOurs


def said(house: House, tier: str) -> str:
    """Return what the tier says as it is used, once init was seen to refuse its place."""
    with pytest.raises(TierNotOurs) as refused:
        house.keeper.init(caller=callers.INIT)
    assert tier in str(refused.value)
    with pytest.raises(TierNotOurs) as met:
        house.keeper.engine.store(tier).check()
    return str(met.value)


@pytest.mark.parametrize("how", ["missing", "empty", "prepared"])
def test_a_folder_that_was_marked_is_to_be_mounted(house: House, how: str) -> None:
    """Missing or empty, it is mounted or its path is mended; init makes places of new tiers only."""
    house.store()
    with away(house, "hot", how):
        told = said(house, "hot")
    assert advice.FOLDER in told
    assert "init" not in told.replace(advice.NEW, "")


def test_a_database_that_lost_its_mark_is_not_marked_by_init(house: House) -> None:
    """Its URL is to be mended; nothing is said of mounting, or of init."""
    house.sql("CREATE TABLE kept AS TABLE tierkeeper_records.tier_mark")
    house.sql("DELETE FROM tierkeeper_records.tier_mark")
    told = said(house, "records")
    house.sql("INSERT INTO tierkeeper_records.tier_mark SELECT * FROM kept")
    house.sql("DROP TABLE kept")
    assert advice.DATABASE in told
    assert "mount" not in told
    assert "init" not in told.replace(advice.NEW, "")


def test_a_bucket_is_not_mounted() -> None:
    """Each kind of place has words of its own."""
    assert "mount" in advice.of("file:///x")
    assert "bucket" in advice.of("s3://x")
    assert "mount" not in advice.of("s3://x") + advice.of("postgres:")
