"""What is taken over of the objects alone, when a catalog is made again from nothing but them."""

import json

import pytest
from support.callers import TESTER
from support.catalogs import Catalog, contents
from support.faulty_store import Fault, Forecast, bad_weather
from support.scale import chance

from tierkeeper.engine.recovery import rebuild


def test_what_is_no_longer_what_it_says_is_not_taken_over(catalog: Catalog) -> None:
    """Of objects alone: bytes that were changed, or that say nothing of themselves, become no artifact."""
    with catalog() as house:
        for name in ("good", "changed", "shorter", "silent"):
            house.store(name, name.encode() * 3)
        hot = house.settings.home / "tiers" / "hot"
    for name, left in (("changed", b"?" * 21), ("shorter", b"short")):
        (path,) = hot.rglob(f"{name}/1-*[0-9a-f]")
        path.write_bytes(left)
    (sidecar,) = hot.rglob("silent/*.json")
    sidecar.unlink()
    with catalog() as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER, objects_only=True)
        assert result.counts == {
            "artifacts found only in the stores": 1,
            "damaged, not taken over": 2,
            "foreign": 1,
        }
        assert contents(house) == {"acme/reports/good@1": b"good" * 3}
        assert [row.vouched for row in house.sql("SELECT vouched FROM placements")] == ["read"]


def test_one_wrong_answer_keeps_nothing_from_being_taken_over(catalog: Catalog) -> None:
    """Of objects alone: what a store answers wrong once is read again before it is left aside for good."""
    with catalog() as house:
        house.store("only", b"only" * 3)
    with catalog() as house, bad_weather(house.keeper, Forecast(chance("rebuild"), coming={"open": [Fault.WRONG]})):
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER, objects_only=True)
        assert result.counts == {"artifacts found only in the stores": 1}
        assert contents(house) == {"acme/reports/only@1": b"only" * 3}


def test_an_age_that_nobody_can_have_meant_begins_now(catalog: Catalog) -> None:
    """Of objects alone: one whose time is outside the gate comes back too, and is as old as its taking over."""
    with catalog() as house:
        for name in ("early", "late"):
            house.store(name, name.encode() * 3)
        hot = house.settings.home / "tiers" / "hot"
    for name, created in (("early", "0001-01-01T00:00:00+14:00"), ("late", "9999-12-31T23:00:00-12:00")):
        (sidecar,) = hot.rglob(f"{name}/*.json")
        sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"created": created}))
    with catalog() as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER, objects_only=True)
        assert contents(house).keys() == {"acme/reports/early@1", "acme/reports/late@1"}
        assert all(row.created_at == row.stored_at for row in house.sql("SELECT created_at, stored_at FROM artifacts"))


def test_metadata_too_deep_for_the_catalog_are_kept_as_text(catalog: Catalog) -> None:
    """Of objects alone: an object of a release that had no bounds comes back, and what it says of itself with it."""
    with catalog() as house:
        house.store("deep", b"deep")
        hot = house.settings.home / "tiers" / "hot"
    (sidecar,) = hot.rglob("deep/*.json")
    said = json.loads('{"a": ' + "[" * 500 + "]" * 500 + "}")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"metadata": said}))
    with catalog() as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER, objects_only=True)
        assert json.loads(house.show("deep").metadata["unreadable"]) == said


@pytest.mark.parametrize("spoilt", ['{"a": "\\u0000"}', "[1]", "deep", '"version": 99999999999'])
def test_what_no_catalog_can_hold_does_not_stop_a_rebuild(catalog: Catalog, spoilt: str) -> None:
    """Of objects alone: one that says of itself what cannot become a row is left aside, and the others come back."""
    with catalog() as house:
        for name in ("good", "odd"):
            house.store(name, name.encode() * 3)
        hot = house.settings.home / "tiers" / "hot"
    (sidecar,) = hot.rglob("odd/*.json")
    about = json.loads(sidecar.read_text())
    if spoilt.startswith('"version"'):
        about["version"] = 99999999999
        file = sidecar.with_name(sidecar.name.removesuffix(".metadata.json"))
        renamed = file.with_name(file.name.replace("1-", "99999999999-", 1))
        file.rename(renamed)
        sidecar = sidecar.rename(renamed.with_name(f"{renamed.name}.metadata.json"))
    elif spoilt != "deep":
        about["metadata"] = json.loads(spoilt)
    sidecar.write_text("[" * 100_000 if spoilt == "deep" else json.dumps(about))
    with catalog() as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER, objects_only=True)
        assert (result.counts["artifacts found only in the stores"], sum(result.counts.values())) == (1, 2)
        assert contents(house) == {"acme/reports/good@1": b"good" * 3}
