"""What a server was seen to do is asked once, kept in the catalog, and asked again of another server or after long."""

import time
from collections.abc import Callable, Mapping
from typing import cast

import pytest
from support.house import houses
from support.s3_answers import KEYS

from tierkeeper.catalog import probes
from tierkeeper.engine.trust.server_abilities import CatalogMemory
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.errors import StoreTransient
from tierkeeper.stores.s3 import probe as s3_probe
from tierkeeper.stores.s3.place import Place
from tierkeeper.stores.s3.probe import BODIES, COPIES, PARTS, Abilities
from tierkeeper.stores.s3.store import S3Store


def test_what_was_seen_is_kept(
    settings_factory: Callable[..., Settings], moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process probes, the others read; what cannot be told counts as not done, and is asked again later."""
    asked: list[str] = []
    probe = s3_probe.probe

    def counted(place: Place) -> Mapping[str, bool]:
        asked.append(place.tier)
        return probe(place)

    monkeypatch.setattr(s3_probe, "probe", counted)
    url = f"s3://tk-memory?endpoint={moto_endpoint}&{KEYS}"
    with houses(settings_factory) as open_house:
        house = open_house(tiers={"warm": {"url": url}})
        store = cast("S3Store", house.keeper.engine.store("warm"))
        catalog = house.keeper.engine.catalog
        found = [Abilities(store.place) for _ in range(3)]
        for each in found[:2]:
            each.remember(CatalogMemory(catalog, "warm"))
        seen = {parts: found[0].refuses_wrong_source(parts=parts) for parts in (False, True)}
        assert {parts: found[1].refuses_wrong_source(parts=parts) for parts in (False, True)} == seen
        assert asked == ["warm"]
        with catalog.reading() as connection:
            assert probes.recorded(connection, "warm", server=moto_endpoint) == {
                COPIES: seen[False],
                PARTS: seen[True],
                BODIES: found[0].refuses_wrong_body(),
            }
            assert probes.recorded(connection, "warm", server="http://another") == {}
            assert probes.recorded(connection, "cold", server=moto_endpoint) == {}
        house.sql("UPDATE switches SET at = at - INTERVAL '25 hours' WHERE name = 'probe:warm' RETURNING name")
        with catalog.reading() as connection:
            assert probes.recorded(connection, "warm", server=moto_endpoint) == {}

        later = time.monotonic() + 601  # a process asks again too: another server may answer by that name
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert found[0].refuses_wrong_source(parts=False) == seen[False]
        assert found[1].refuses_wrong_source(parts=False) == seen[False]
        assert asked == ["warm", "warm"]

        def away(place: Place) -> Mapping[str, bool]:
            asked.append(place.tier)
            raise StoreTransient(tier=place.tier, reason="away")

        monkeypatch.setattr(s3_probe, "probe", away)
        assert [found[2].refuses_wrong_source(parts=False) for _ in range(2)] == [False, False]
        assert asked == ["warm", "warm", "warm"]
        house.sql("UPDATE switches SET at = at - INTERVAL '25 hours' WHERE name = 'probe:warm' RETURNING name")
        much_later = later + 601
        monkeypatch.setattr(time, "monotonic", lambda: much_later)
        assert found[0].refuses_wrong_source(parts=False) is False  # what cannot be asked now is not known any more
