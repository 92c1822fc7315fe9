"""A tier whose place is not its own: unmounted, another bucket, another host's. Nothing is concluded or lost."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from faults.around import Around
from integration.engine.reconciling import CONTENT, reconcile
from integration.keeper.house import LEASES_END, House

from tierkeeper.base.health import Condition
from tierkeeper.base.settings import Settings
from tierkeeper.keeper import Keeper
from tierkeeper.stores.base import DeleteResult, ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import ObjectNotFound, StoreTransient, TierNotOurs
from tierkeeper.stores.filesystem import FilesystemStore
from tierkeeper.stores.marks import TierMark
from tierkeeper.stores.s3 import S3Store


class Led(Around):
    """A store whose name leads to another place at times, as the engine sees one: between calls, or within one."""

    def __init__(self, inner: Store, other: Store) -> None:
        super().__init__(inner)
        self.ours, self.other = inner, other
        self.leaves_at_delete = self.returns_after_put = False

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        if self.leaves_at_delete:
            self.inner, self.leaves_at_delete = self.other, False
        return self.inner.delete(keys)

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        stored = self.inner.put(location, content, info)
        if self.returns_after_put:
            self.inner, self.returns_after_put = self.ours, False
        return stored

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """The name leads to the other place while this lasts."""
        self.inner = self.other
        try:
            yield
        finally:
            self.inner = self.ours


class Overtaken(Around):
    """A store at which another host's init comes first, right before a mark is written."""

    def __init__(self, inner: Store, other: House) -> None:
        super().__init__(inner)
        self.other = other

    def write_mark(self, mark: TierMark) -> TierMark:
        self.other.keeper.init()
        return super().write_mark(mark)


def led(house: House, tier: str) -> Led:
    """Let a tier on S3 lead elsewhere at times: to an empty bucket that is there."""
    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    store = cast("S3Store", stores[tier])
    store.place.client.create_bucket(Bucket="another-bucket")
    url = (
        house.settings.tiers[tier]
        .url.replace(f"{tier}-bucket/some/prefix", "another-bucket")
        .replace(f"{tier}-bucket", "another-bucket")
    )
    endpoint = str(store.config.options["endpoint"])
    other = S3Store.from_url(type(store.config)(tier=tier, url=url.partition("?")[0], options={"endpoint": endpoint}))
    stores[tier] = Led(store, other)
    return cast("Led", stores[tier])


@contextmanager
def away(house: House, tier: str, how: str) -> Iterator[None]:
    """Take a tier's place away: its folder is ``missing``, or ``empty``; or its name leads to another bucket."""
    store = house.keeper.engine.store(tier)
    if isinstance(store, S3Store):
        with led(house, tier).elsewhere():
            yield
        return
    root = cast("FilesystemStore", store)._tree.root
    root.rename(root.with_name("unmounted"))
    if how != "missing":
        root.mkdir()
    if how == "prepared":
        (root / ".tmp").mkdir()
    try:
        yield
    finally:
        shutil.rmtree(root, ignore_errors=True)
        root.with_name("unmounted").rename(root)


def damaged(house: House) -> int:
    """How many copies are called damaged."""
    return int(house.sql("SELECT count(*) AS n FROM placements WHERE damaged_at IS NOT NULL")[0].n)


def vital(house: House, name: str) -> tuple[Condition, str]:
    """What the health says of something."""
    (found,) = [v for v in house.keeper.steer.health().vitals if v.name == name]
    return found.condition, found.detail


@pytest.mark.parametrize("how", ["missing", "empty", "prepared"])
def test_nothing_is_concluded_while_a_place_is_away(twice: House, how: str) -> None:
    """No sweep or read calls a copy missing, deletes a row or counts an attempt; health is red; all comes back."""
    house = twice
    house.store("new", b"new", age=timedelta(days=10))
    house.turn()
    house.promote("new", "cold")  # its copy in warm is doomed
    house.store("due", b"due", age=timedelta(days=10))
    before = house.everything()
    rows = house.sql("SELECT id FROM placements WHERE tier = 'warm' ORDER BY id")
    with away(house, "warm", how):
        house.turn()
        result, found = reconcile(house)
        assert [(t.tier, bool(t.away)) for t in result.tiers] == [
            ("hot", False),
            ("records", False),
            ("warm", True),
            ("cold", False),
        ]
        assert (found, result.errors) == ([], 1)
        verified = house.keeper.verify()
        assert verified.counts["left out"] >= 1
        assert "damaged" not in verified.counts
        assert house.read() == CONTENT  # from cold
        assert house.keeper.collect().counts["left out: the tier's place is not its own"] == 2
        house.purge("new")
        house.turn()
        house.collect()
        assert set(rows) <= set(house.sql("SELECT id FROM placements WHERE tier = 'warm' ORDER BY id"))
        condition, detail = vital(house, "tier warm")
        assert condition is Condition.BAD
        assert "warm" in detail
        assert vital(house, "tier cold")[0] is Condition.OK
        assert damaged(house) == 0
        assert house.sql("SELECT artifact_id FROM schedule WHERE parked_reason IS NOT NULL OR attempts > 0") == []
        assert "damaged" not in house.events()
    assert {o for o in before if o.startswith("warm/")} <= set(house.everything())
    house.undelete("new")
    house.pass_time(timedelta(minutes=10))
    house.settle()
    assert (house.tiers(), house.tiers("due"), house.tiers("new")) == ({"warm", "cold"}, {"warm"}, {"cold"})
    assert house.read("new") == b"new"


@pytest.fixture
def s3_house(request: pytest.FixtureRequest, open_house: Callable[..., House]) -> House:
    """Warm and cold in buckets, at which each call goes where the name leads."""
    endpoint = request.getfixturevalue("s3_endpoint")
    return open_house(
        tiers={
            "warm": {"url": f"s3://warm-bucket/some/prefix?endpoint={endpoint}"},
            "cold": {"url": f"s3://cold-bucket?endpoint={endpoint}"},
        }
    )


def test_an_upload_to_another_place_is_not_believed(s3_house: House) -> None:
    """Bytes that landed where the mark is not ours are no copy: the source stays, and the artifact is due."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    place = led(house, "warm")
    house.keeper.engine.marks.confirm(place, before=True)
    place.inner = place.other
    run = house.keeper.rotate(actor="beat")
    assert run is not None
    house.keeper.converge_due(run)
    assert house.tiers() == {"hot"}
    assert house.sql("SELECT state FROM placements WHERE tier = 'warm' AND state = 'present'") == []
    assert house.sql("SELECT artifact_id FROM schedule WHERE parked_reason IS NOT NULL OR attempts > 0") == []
    place.inner = place.ours
    house.pass_time(timedelta(minutes=10))
    house.turn()
    assert house.tiers() == {"warm"}
    house.settle()


def test_a_store_to_another_place_is_refused(open_house: Callable[..., House], s3_endpoint: str) -> None:
    """Who stores into a bucket that is not the tier's own is told so, and no version comes to be."""
    house = open_house(tiers={"hot": {"url": f"s3://hot-bucket?endpoint={s3_endpoint}"}})
    house.store("before", b"before")
    place = led(house, "hot")
    with place.elsewhere(), pytest.raises(TierNotOurs):
        house.store(content=CONTENT)
    assert len(house.sql("SELECT id FROM artifacts")) == 1
    house.store(content=CONTENT)
    house.pass_time(LEASES_END)
    house.settle()


def test_a_delete_in_another_place_is_no_receipt(s3_house: House) -> None:
    """What a store that leads elsewhere says to have deleted is not forgotten: its row stays until its bytes go."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    house.turn()
    house.collect()
    house.promote("a", "cold")
    place = led(house, "warm")
    house.keeper.engine.marks.confirm(place, before=True)
    place.leaves_at_delete = True
    assert house.collect().errors == 1
    (row,) = house.sql("SELECT state, location FROM placements WHERE tier = 'warm'")
    assert row.state == "deleting"
    place.inner = place.ours
    assert place.head(ObjectKey(row.location)).size == len(CONTENT)
    house.pass_time(timedelta(minutes=10))
    house.settle()
    with pytest.raises(ObjectNotFound):
        place.head(ObjectKey(row.location))


def test_a_tier_that_does_not_confirm_is_no_other_copy(s3_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep leaves out every tier whose mark it did not read, whatever kept it from that: no copy there counts."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=10))
    house.turn()
    house.promote("a", "cold")
    house.pass_time(timedelta(days=8))

    def refuse() -> TierMark | None:
        raise StoreTransient(tier="warm", reason="timed out")

    with monkeypatch.context() as patch:
        patch.setattr(house.keeper.engine.store("warm"), "mark", refuse)
        assert house.keeper.collect().counts["left out: the tier did not tell whether its place is its own"] == 1
    house.settle()


def test_a_place_that_was_away_when_a_batch_began(s3_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that was read long ago says nothing of this batch: bytes written elsewhere are not believed."""
    house = s3_house
    house.store("b", content=b"before", age=timedelta(days=10))
    house.settle()
    house.store(content=CONTENT, age=timedelta(days=10))
    place = led(house, "warm")
    house.keeper.engine.marks.confirm(place)
    later = time.monotonic() + 60
    monkeypatch.setattr("tierkeeper.engine.marks.monotonic", lambda: later, raising=False)
    place.inner, place.returns_after_put = place.other, True
    house.turn()
    place.inner = place.ours
    believed = house.sql("SELECT location FROM placements WHERE tier = 'warm' AND state = 'present'")
    assert all(place.head(ObjectKey(row.location)) for row in believed)
    assert (len(believed), house.read()) == (1, CONTENT)
    house.pass_time(timedelta(minutes=10))
    house.settle()


def test_another_bucket_holds_nothing(s3_house: House) -> None:
    """Reads, verify and reconcile that ask another bucket than the tier's call no copy missing or damaged."""
    house = s3_house
    house.store(content=CONTENT, age=timedelta(days=40))
    house.turn()
    house.restore(to_tier="warm")
    house.settle()
    with led(house, "warm").elsewhere():
        assert house.read() == CONTENT
        result, found = reconcile(house)
        assert (found, [t.tier for t in result.tiers if t.away]) == ([], ["warm"])
        assert house.keeper.verify().counts == {"verified": 1, "left out": 1}
        assert vital(house, "tier warm")[0] is Condition.BAD
        assert damaged(house) == 0
    house.settle()
    assert house.tiers() == {"warm", "cold"}


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
                keeper.init()
        assert not elsewhere.exists()
        other = House(keeper, keeper.settings)
        keeper.verify()
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
            keeper.init()
        keeper.verify()
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
    made = house.keeper.init()
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
            house.keeper.init()
        assert house.keeper.engine.store("warm").mark() is not None
        assert house.keeper.engine.store("hot").mark() is None
    house.keeper.init()
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
            keeper.init()
        assert not mark.exists()
        assert house.read() == CONTENT
        keeper.adopt("hot", actor="tester", reason="it was moved", lost=False)
        assert House(keeper, keeper.settings).read() == CONTENT
        house.keeper.adopt("hot", actor="tester", reason="and back", lost=False)


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
            keeper.init()
    assert house.read() == CONTENT


def test_a_mark_that_the_catalog_did_not_note_is_noted(house: House) -> None:
    """A crash between both leaves a mark that the catalog knows nothing of: the next init takes note of that one."""
    house.store(content=CONTENT)
    mark = house.keeper.engine.store("hot").mark()
    house.sql("UPDATE switches SET value = value #- '{tiers,hot}' WHERE name = 'identity'")
    house.keeper.engine.marks.refresh()
    assert "mark in" in " ".join(house.keeper.init())
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
        house.keeper.init()
    with pytest.raises(Exception, match="another catalog"):
        house.read()
    assert engine.store("hot").mark() == foreign
    house.keeper.adopt("hot", actor="tester", reason="it was another's once", lost=False)
    assert house.read() == CONTENT
    (event,) = house.keeper.events(type="tier adopted")
    assert (event.actor, (event.after or {})["reason"]) == ("tester", "it was another's once")
    with away(house, "hot", "missing"):
        with pytest.raises(TierNotOurs, match="none of 1 copies"):
            house.keeper.adopt("hot", actor="tester", reason="the disk died", lost=False)
        assert not Path(house.settings.tiers["hot"].url.removeprefix("file://")).exists()
        house.keeper.adopt("hot", actor="tester", reason="the disk died", lost=True)
        _, found = reconcile(house)
        assert [f.kind.value for f in found] == ["missing"]
        house.sql("UPDATE placements SET damaged_at = NULL")
    house.keeper.adopt("hot", actor="tester", reason="it was found again", lost=False)
    house.settle()


def test_a_mark_that_cannot_be_read_is_replaced_by_adopting(house: House) -> None:
    """A mark that was cut keeps its tier from being used, not from being adopted: init says how, and does not do it."""
    house.store(content=CONTENT)
    mark = Path(house.settings.tiers["hot"].url.removeprefix("file://")) / ".tierkeeper" / "tier.json"
    mark.write_text('{"format": 1, "cata')
    with pytest.raises(Exception, match=r"tier\.json is no mark"):
        house.read()
    with pytest.raises(TierNotOurs, match="init --adopt hot"):
        house.keeper.init()
    assert mark.read_text() == '{"format": 1, "cata'
    house.keeper.adopt("hot", actor="tester", reason="it was cut", lost=False)
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
    monkeypatch.setattr("tierkeeper.engine.marks.monotonic", lambda: later)
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
    house.keeper.steer.recovery.accept_restore(actor="tester", reason="a test")
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
