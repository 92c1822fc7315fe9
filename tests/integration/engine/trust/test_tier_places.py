"""Who makes and marks a tier's place: init, an upgrade, a second host, and an operator who adopts one."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from support.callers import TESTER
from support.house import LEASES_END, House
from support.leading import Overtaken, away, damaged
from support.reconciling import CONTENT, reconcile

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import AcceptedMeanwhile
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import stocktake
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import TierNotOurs
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.s3.store import S3Store


def second(house: House, settings_factory: Callable[..., Settings], **more: object) -> Settings:
    """The settings of a second host on the same catalog."""
    return settings_factory(catalog={"url": house.settings.catalog.url}, **more)


@pytest.mark.parametrize("used", [True, False])
def test_a_second_host_with_tiers_of_its_own(
    house: House, settings_factory: Callable[..., Settings], tmp_path: Path, *, used: bool
) -> None:
    """Its init is refused and makes no folder, whether the tiers have copies or not; its work marks nothing damaged."""
    if used:
        house.store(content=CONTENT)
    elsewhere = tmp_path / "second"
    with Keeper.open(second(house, settings_factory, base_path=elsewhere)) as keeper:
        for _ in range(2):
            with pytest.raises(TierNotOurs, match="hot, warm, cold"):
                keeper.init(caller=callers.INIT)
        assert not elsewhere.exists()
        other = House(keeper, keeper.settings)
        keeper.sweeps.verify(caller=callers.BEAT)
        reconcile(other)
        other.turn()
        if used:
            with pytest.raises(Exception, match="cannot be used"):
                other.read()
        with pytest.raises(TierNotOurs):
            other.store("b", b"b")
    assert damaged(house) == 0
    house.pass_time(LEASES_END)
    house.settle()
    assert not used or house.read() == CONTENT


def test_a_mistyped_bucket(s3_house: House, settings_factory: Callable[..., Settings], s3_endpoint: str) -> None:
    """A bucket that is not there is not made by init, where the tier has a mark elsewhere, and by nothing else."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    house.settle()
    tiers = {
        "warm": {"url": f"s3://wram-bucket/some/prefix?endpoint={s3_endpoint}"},
        "cold": {"url": house.settings.tiers["cold"].url},
    }
    client = cast("S3Store", house.keeper.engine.store("warm")).place.client
    with Keeper.open(second(house, settings_factory, tiers=tiers)) as keeper:
        other = House(keeper, keeper.settings)
        with pytest.raises(TierNotOurs, match="wram-bucket"):
            keeper.init(caller=callers.INIT)
        keeper.sweeps.verify(caller=callers.BEAT)
        reconcile(other)
        other.turn()
        other.collect()
        with pytest.raises(Exception, match="does not exist"):
            other.read()
    assert {b["Name"] for b in client.list_buckets()["Buckets"]} == {"warm-bucket", "cold-bucket"}
    assert damaged(house) == 0
    assert house.read() == CONTENT


def forget_marks(house: House) -> None:
    """Leave everything as a release that knew no marks leaves it."""
    house.sql("DELETE FROM switches WHERE name = 'identity'")
    house.keeper.engine.marks.refresh()
    for store in house.keeper.engine.stores.values():
        if isinstance(store, FilesystemStore):
            shutil.rmtree(store._tree.root / ".tierkeeper")
    house.sql("DROP TABLE tierkeeper_records.tier_mark")


def test_an_upgrade_marks_what_is_seen(house: House) -> None:
    """After an upgrade init marks the tiers whose copies are there, and those that have none."""
    house.store(content=CONTENT)
    forget_marks(house)
    with pytest.raises(TierNotOurs, match="tierkeeper init"):
        house.keeper.engine.store("hot").check()
    made = house.keeper.init(caller=callers.INIT)
    assert sum("mark in" in line for line in made) == 4
    assert house.read() == CONTENT
    house.settle()


def test_an_upgrade_refuses_a_place_without_its_copies(house: House) -> None:
    """A folder that is not mounted while init upgrades gets no mark; it names the tier and what it looked for."""
    house.store(content=CONTENT)
    location = house.sql("SELECT location FROM placements")[0].location
    forget_marks(house)
    with away(house, "hot", "empty"):
        with pytest.raises(TierNotOurs, match=f"hot.*such as {location}"):
            house.keeper.init(caller=callers.INIT)
        assert house.keeper.engine.store("warm").mark() is not None
        assert house.keeper.engine.store("hot").mark() is None
    house.keeper.init(caller=callers.INIT)
    assert house.read() == CONTENT


@contextmanager
def copied_without_marks(
    house: House, settings_factory: Callable[..., Settings], place: Path
) -> Iterator[tuple[Keeper, Path]]:
    """A second host, whose hot tier is a copy of the first one's without its mark."""
    first = Path(house.settings.tiers["hot"].url.removeprefix("file://"))
    shutil.copytree(first, place)
    shutil.rmtree(place / ".tierkeeper", ignore_errors=True)
    with Keeper.open(second(house, settings_factory, tiers={"hot": {"url": place.as_uri()}})) as keeper:
        yield keeper, place / ".tierkeeper"


def test_a_tier_that_has_a_mark_gets_no_second_one(
    house: House, settings_factory: Callable[..., Settings], tmp_path: Path
) -> None:
    """Init marks no other place of a tier that was marked once, although copies are seen there: --adopt may."""
    house.store(content=CONTENT)
    with copied_without_marks(house, settings_factory, tmp_path / "copy") as (keeper, mark):
        with pytest.raises(TierNotOurs, match="--adopt hot"):
            keeper.init(caller=callers.INIT)
        assert not mark.exists()
        assert house.read() == CONTENT
        keeper.tiers.take_over("hot", caller=TESTER, reason="it was moved", lost=False)
        assert House(keeper, keeper.settings).read() == CONTENT
        house.keeper.tiers.take_over("hot", caller=TESTER, reason="and back", lost=False)


def test_of_two_inits_of_an_upgrade_one_marks(
    house: House, settings_factory: Callable[..., Settings], tmp_path: Path
) -> None:
    """Who marks a place while another host marks its own as the same tier is refused, although copies are seen."""
    house.store(content=CONTENT)
    forget_marks(house)
    with copied_without_marks(house, settings_factory, tmp_path / "copy") as (keeper, _):
        stores = cast("dict[str, Store]", keeper.engine.stores)
        stores["hot"] = Overtaken(stores["hot"], house)
        with pytest.raises(TierNotOurs, match="another place has the mark"):
            keeper.init(caller=callers.INIT)
    assert house.read() == CONTENT


def test_a_mark_that_the_catalog_did_not_note_is_noted(house: House) -> None:
    """A crash between both leaves a mark that the catalog knows nothing of: the next init takes note of that one."""
    house.store(content=CONTENT)
    mark = house.keeper.engine.store("hot").mark()
    house.sql("UPDATE switches SET value = value #- '{tiers,hot}' WHERE name = 'identity'")
    house.keeper.engine.marks.refresh()
    assert "mark in" in " ".join(house.keeper.init(caller=callers.INIT))
    assert (house.keeper.engine.store("hot").mark(), house.read()) == (mark, CONTENT)


def test_a_place_is_adopted_knowingly(house: House) -> None:
    """Init overwrites no foreign mark; --adopt does where copies are seen, or somebody says they are lost."""
    house.store(content=CONTENT)
    engine = house.keeper.engine
    mark = engine.store("hot").mark()
    assert mark is not None
    foreign = type(mark)(mark.line, mark.line, "hot", mark.made)
    engine.store("hot").replace_mark(foreign, over=mark)
    with pytest.raises(TierNotOurs, match="another catalog"):
        house.keeper.init(caller=callers.INIT)
    with pytest.raises(Exception, match="another catalog"):
        house.read()
    assert engine.store("hot").mark() == foreign
    house.keeper.tiers.take_over("hot", caller=TESTER, reason="it was another's once", lost=False)
    assert house.read() == CONTENT
    (event,) = house.keeper.events.select(type="tier adopted")
    assert (event.actor, (event.after or {})["reason"]) == ("tester", "it was another's once")
    with away(house, "hot", "missing"):
        with pytest.raises(TierNotOurs, match="none of 1 copy"):
            house.keeper.tiers.take_over("hot", caller=TESTER, reason="the disk died", lost=False)
        assert not Path(house.settings.tiers["hot"].url.removeprefix("file://")).exists()
        house.keeper.tiers.take_over("hot", caller=TESTER, reason="the disk died", lost=True)
        _, found = reconcile(house)
        assert [f.kind.value for f in found] == ["missing"]
        house.sql("UPDATE placements SET damaged_at = NULL")
    house.keeper.tiers.take_over("hot", caller=TESTER, reason="it was found again", lost=False)
    house.settle()


@pytest.mark.parametrize("lost", [True, False])
def test_the_place_of_another_tier_is_not_adopted(
    house: House, settings_factory: Callable[..., Settings], *, lost: bool
) -> None:
    """Two tiers never share a place: whose it is keeps it, and init says what to do instead."""
    house.store(content=CONTENT, age=timedelta(days=10))
    house.settle()
    warm = house.settings.tiers["warm"].url
    mark = house.keeper.engine.store("warm").mark()
    with Keeper.open(second(house, settings_factory, tiers={"cold": {"url": warm}})) as keeper:
        for call in (
            partial(keeper.tiers.take_over, "cold", caller=TESTER, reason="a mistake", lost=lost),
            partial(keeper.init, caller=TESTER),
        ):
            with pytest.raises(TierNotOurs, match="is tier warm of this catalog, with 1 copy: give tier cold"):
                call()
    assert (house.keeper.engine.store("warm").mark(), house.read()) == (mark, CONTENT)


def test_the_place_of_a_tier_that_is_gone_is_adopted_without_its_copies(
    open_house: Callable[..., House], settings_factory: Callable[..., Settings], tmp_path: Path
) -> None:
    """A tier that left the settings keeps its place as long as the catalog has copies in it."""
    place = {"url": f"{tmp_path.as_uri()}/attic"}
    house = open_house(tiers={"attic": {**place, "temperature": "cold"}})
    house.store(content=CONTENT)
    house.sql("UPDATE placements SET tier = 'attic'")
    with Keeper.open(second(house, settings_factory, tiers={"cold": place})) as keeper:
        with pytest.raises(TierNotOurs, match="is tier attic of this catalog"):
            keeper.tiers.take_over("cold", caller=TESTER, reason="a mistake", lost=True)
        house.sql("UPDATE placements SET tier = 'hot'")
        keeper.tiers.take_over("cold", caller=TESTER, reason="it was empty", lost=True)
    assert house.read() == CONTENT
    for tier in ("cold", "attic"):  # whoever has moved first adopts its new place; then the old one is free
        house.keeper.tiers.take_over(tier, caller=TESTER, reason="and back", lost=True)


@pytest.mark.parametrize("readable", [True, False])
def test_a_living_installations_place_is_not_adopted_unseen(house: House, *, readable: bool) -> None:
    """A mark that is not ours is not taken over by a tier without copies, unless somebody says that they are lost."""
    store = house.keeper.engine.store("hot")
    mark = store.mark()
    assert mark is not None
    store.replace_mark(type(mark)(mark.line, mark.line, "hot", mark.made), over=mark)
    file = Path(house.settings.tiers["hot"].url.removeprefix("file://")) / ".tierkeeper" / "tier.json"
    if not readable:
        file.write_text("{")
    before = file.read_text()
    house.sql("UPDATE switches SET value = value #- '{tiers,hot}' WHERE name = 'identity'")
    house.keeper.engine.marks.refresh()
    with pytest.raises(TierNotOurs, match="can no longer use the place"):
        house.keeper.tiers.take_over("hot", caller=TESTER, reason="it looked free", lost=False)
    assert file.read_text() == before
    house.keeper.tiers.take_over("hot", caller=TESTER, reason="the other was given up", lost=True)
    house.store(content=CONTENT)
    assert house.read() == CONTENT


def test_a_mark_that_cannot_be_read_is_replaced_by_adopting(house: House) -> None:
    """A mark that was cut keeps its tier from being used, not from being adopted: init says how, and does not do it."""
    house.store(content=CONTENT)
    mark = Path(house.settings.tiers["hot"].url.removeprefix("file://")) / ".tierkeeper" / "tier.json"
    mark.write_text('{"format": 1, "cata')
    with pytest.raises(Exception, match=r"tier\.json is no mark"):
        house.read()
    with pytest.raises(TierNotOurs, match="init --adopt hot"):
        house.keeper.init(caller=callers.INIT)
    assert mark.read_text() == '{"format": 1, "cata'
    house.keeper.tiers.take_over("hot", caller=TESTER, reason="it was cut", lost=False)
    assert house.read() == CONTENT


def test_a_worker_notices_that_another_place_was_adopted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host adopts another place for a tier: who knew the old place by its mark refuses it within seconds."""
    house.store(content=CONTENT)
    old = house.keeper.engine.store("hot")
    old.check()
    mark = old.mark()
    assert mark is not None
    made = (mark.made + timedelta(seconds=1)).isoformat()
    house.sql(
        "UPDATE switches SET value = jsonb_set(value, '{tiers,hot}', to_jsonb(CAST(:made AS text)))"
        " WHERE name = 'identity'",
        made=made,
    )
    later = time.monotonic() + 10
    monkeypatch.setattr("tierkeeper.engine.mark_check.monotonic", lambda: later)
    with pytest.raises(TierNotOurs, match="that of this tier was made"):
        house.keeper.engine.marks.confirm(old, bound=True)
    with pytest.raises(TierNotOurs, match="that of this tier was made"):
        old.check()
    house.sql(
        "UPDATE switches SET value = jsonb_set(value, '{tiers,hot}', to_jsonb(CAST(:made AS text)))"
        " WHERE name = 'identity'",
        made=mark.made.isoformat(),
    )
    assert house.read() == CONTENT


def test_of_two_copies_of_a_catalog_the_one_accepted_last_goes_on(house: House) -> None:
    """An accepted restore gives the tiers marks of a new line: what has the old one cannot use them any more."""
    house.store(content=CONTENT)
    engine = house.keeper.engine
    (before,) = house.sql("SELECT value::text AS value FROM switches WHERE name = 'identity'")
    house.sql("INSERT INTO switches (name, value, by, reason) VALUES ('trust', '\"restored\"', 'tester', 'a test')")
    old = engine.store("hot").mark()
    house.keeper.recovery.accept_restore(caller=TESTER, reason="a test")
    new = engine.store("hot").mark()
    assert old is not None
    assert new is not None
    assert (old.catalog, old.line == new.line) == (new.catalog, False)
    assert house.read() == CONTENT
    (after,) = house.sql("SELECT value::text AS value FROM switches WHERE name = 'identity'")
    house.sql("UPDATE switches SET value = CAST(:v AS jsonb) WHERE name = 'identity'", v=before.value)
    with pytest.raises(TierNotOurs, match="another copy of this catalog"), Keeper.open(house.settings) as clone:
        clone.engine.store("hot").check()
    house.sql("UPDATE switches SET value = CAST(:v AS jsonb) WHERE name = 'identity'", v=after.value)


@pytest.mark.parametrize("late", [False, True])
def test_who_accepts_a_catalog_second_is_told_so(house: House, monkeypatch: pytest.MonkeyPatch, *, late: bool) -> None:
    """Somebody else accepts it while the stores are compared: before the marks are read again, or after all of it."""
    house.store(content=CONTENT)
    house.sql("INSERT INTO switches (name, value, by, reason) VALUES ('trust', '\"restored\"', 'tester', 'a test')")
    take_stock = stocktake.take_stock

    def overtaken(engine: Engine, **more: Any) -> Counter[str]:  # noqa: ANN401  as the step's
        monkeypatch.setattr(stocktake, "take_stock", take_stock)
        counts = take_stock(engine, **more) if late else None
        with Keeper.open(house.settings) as other:
            other.recovery.accept_restore(caller=Caller("other"), reason="a test")
        return take_stock(engine, **more) if counts is None else counts

    monkeypatch.setattr(stocktake, "take_stock", overtaken)
    with pytest.raises(AcceptedMeanwhile):
        house.keeper.recovery.accept_restore(caller=TESTER, reason="a test")
    assert len(list(house.keeper.events.select(type="restore accepted"))) == 1
    house.keeper.engine.marks.refresh()
    assert house.read() == CONTENT
