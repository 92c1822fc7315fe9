"""Copies that are missing or changed: found, made anew from another tier, or said to be lost until they are back."""

from datetime import timedelta
from typing import cast

import pytest
from support.callers import TESTER
from support.house import House, OpenHouse
from support.reconciling import (
    CONTENT,
    QUARANTINE,
    WEEK,
    copy_of,
    drop,
    late,
    missed_once,
    overwrite,
    reconcile,
    short,
    there,
)

from tierkeeper.base import callers
from tierkeeper.base.ids import new_id
from tierkeeper.engine.reconcile import comparison
from tierkeeper.engine.reconcile.id_set import IdSet
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.s3.store import S3Store
from tierkeeper.values.findings import FindingKind
from tierkeeper_client.contract import StoreManyArgs


def test_a_missing_copy_is_made_anew(twice: House) -> None:
    """A copy whose bytes are gone is found, and the next turn makes it anew from the other tier."""
    for tier in ("warm", "cold"):
        drop(twice, tier)
        missed_once(twice, tier)
        result, found = reconcile(twice)
        assert short(found) == [(tier, "missing", "repair")]
        assert (found[0].ref, found[0].lost, result.counts["reported"]) == (twice.show().ref, False, 1)
        twice.settle()
        assert (twice.tiers(), twice.read()) == ({"warm", "cold"}, CONTENT)
        assert reconcile(twice)[1] == []


def test_a_copy_of_another_size_is_made_anew(twice: House) -> None:
    """A copy with more or fewer bytes than were committed is found, and made anew from the other tier."""
    for tier, content in (("warm", CONTENT + b"!"), ("cold", b"")):
        overwrite(twice, tier, content)
        _, found = reconcile(twice)
        assert short(found) == [(tier, "mismatched", "repair")]
        assert f"it has {len(content)} bytes, not {len(CONTENT)}" in found[0].reason
        twice.settle()
        assert twice.keeper.sweeps.verify(caller=callers.BEAT).counts == {"verified": 2}


def test_a_copy_with_another_checksum_is_found(open_house: OpenHouse, s3_endpoint: str) -> None:
    """Where the store vouches for a checksum and a copy is looked at, as many bytes that are others are found too."""
    house = open_house(tiers={"warm": {"url": f"s3://warm-bucket?endpoint={s3_endpoint}"}})
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    store, key = copy_of(house, "warm")
    place = cast("S3Store", store).place
    place.client.put_object(
        Bucket="warm-bucket", Key=place.key(key.location), Body=CONTENT.upper(), ChecksumAlgorithm="SHA256"
    )
    house.sql("UPDATE placements SET damaged_at = now()")  # what is known to be damaged is looked at again
    _, found = reconcile(house)
    assert [(f.kind, f.lost) for f in found] == [(FindingKind.MISMATCHED, True)]
    assert "its SHA-256 is" in found[0].reason
    overwrite(house, "warm", CONTENT)
    assert reconcile(house)[0].counts["healed"] == 1


def test_a_record_that_is_gone_from_the_database(house: House) -> None:
    """A row that is missing in a database tier is made anew from another tier, as a file is."""
    house.policy("name: both\nmatch: {tenant: acme}\nwrite: all\nphases: [{after: 0d, in: [records, cold]}]")
    house.store(content=b'{"a": 1}', content_type="application/json")
    assert house.tiers() == {"records", "cold"}
    where = late(house, "records")
    drop(house, "records")
    _, found = reconcile(house)
    assert short(found) == [("records", "missing", "repair"), ("records", "orphan", "quarantine")]
    house.pass_time(QUARANTINE)
    reconcile(house)
    house.settle()
    assert (house.tiers(), there(house, "records", where)) == ({"records", "cold"}, False)


def test_among_a_thousand_copies_the_missing_ones_are_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies are looked through page by page: the first, the last and one in the middle."""
    monkeypatch.setattr(comparison, "_PAGE", 100)
    for page in range(2):
        args = [house.args(f"n{page}/{n}", b"%d %d" % (page, n), age=timedelta(days=40)) for n in range(600)]
        house.keeper.artifacts.store_many(StoreManyArgs(items=args).items, caller=TESTER)
    ids = [row.location for row in house.sql("SELECT location FROM placements ORDER BY id")]
    gone = {ids[0], ids[599], ids[-1]}
    house.keeper.engine.store("hot").delete([ObjectKey(each) for each in gone])
    result, found = reconcile(house, dry_run=True)
    assert ({f.location for f in found}, {f.kind for f in found}) == (gone, {FindingKind.MISSING})
    assert [(t.listed, t.known) for t in result.tiers if t.tier == "hot"] == [(1197, 1200)]
    house.sql("UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now()")
    house.reset()


def test_ids_on_disk_come_back_in_order() -> None:
    """However many ids are noted, they come back sorted as PostgreSQL sorts them."""
    ids = [new_id() for _ in range(1000)]
    with IdSet(most=64) as seen:
        for each in reversed(ids):
            seen.add([each])
        assert list(seen.ordered()) == sorted(ids)


def test_a_lost_copy_is_said_aloud_until_it_is_back(any_house: House) -> None:
    """Without another copy the content is lost: every reconcile says so, one event does; its bytes back, it heals."""
    any_house.store(content=CONTENT, age=WEEK)
    any_house.settle()
    store, key = copy_of(any_house, "warm")
    drop(any_house, "warm")
    missed_once(any_house, "warm")
    result, found = reconcile(any_house)
    assert short(found) == [("warm", "missing", "none")]
    assert (result.lost, found[0].lost, found[0].ref) == (1, True, any_house.show().ref)
    any_house.turn()
    result, found = reconcile(any_house)
    assert (result.lost, result.counts["known damaged"], "reported" in result.counts) == (1, 1, False)
    assert any_house.events().count("damaged") == 1
    (event,) = any_house.keeper.events.select(type="damaged")
    assert (event.after or {})["copies_left"] == 0
    if isinstance(store, S3Store):
        overwrite(any_house, "warm", CONTENT)
    else:
        path = cast("FilesystemStore", store)._tree.root / key.location
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    result, _ = reconcile(any_house)
    assert result.counts["healed"] == 1
    assert (any_house.events()[-1], any_house.read()) == ("healed", CONTENT)
    assert reconcile(any_house)[0].lost == 0
    any_house.settle()


def test_other_bytes_in_its_place_do_not_heal(any_house: House) -> None:
    """A damaged copy is taken back only when its bytes were read and have the hash they were stored with."""
    any_house.store(content=CONTENT, age=WEEK)
    any_house.settle()
    overwrite(any_house, "warm", CONTENT.upper())
    assert any_house.keeper.sweeps.verify(caller=callers.BEAT).counts == {"damaged": 1}
    result, found = reconcile(any_house)
    assert ("healed" in result.counts, [f.lost for f in found]) == (False, [True])
    overwrite(any_house, "warm", CONTENT)
    assert reconcile(any_house)[0].counts["healed"] == 1
