"""Dumps of the catalog in the coldest tier: whole, of one moment, kept in number, and never half."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from support.around import Around, broken
from support.callers import TESTER
from support.catalogs import Catalog
from support.house import House, OpenHouse

from tierkeeper.base.states import RunKind, Vouched
from tierkeeper.catalog import events
from tierkeeper.engine.copies import opener
from tierkeeper.engine.recovery import dump, dump_files, rebuild
from tierkeeper.engine.recovery.dump_files import EventSegment
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, StoreError, ThawNeeded
from tierkeeper.stores.filesystem.store import FilesystemStore


class Undeletable(Around):
    """A store that refuses every delete."""

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        return [DeleteResult(key, DeleteState.FAILED, "no", "StoreDenied") for key in keys]


class Flipping(FilesystemStore):
    """A folder on a disk that spoils the last byte of everything with ``spoils`` in its location."""

    spoils = ""

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        stored = super().put(location, content, info)
        path = Path(urlsplit(self.config.url).path) / location
        if self.spoils in location:
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        return stored


class Frozen(Flipping):
    """The same in an archive class: nothing is read before it was thawed, and the server knows what it has."""

    def head(self, key: ObjectKey) -> Stored:
        path = Path(urlsplit(self.config.url).path) / key.location
        return replace(super().head(key), sha256=hashlib.sha256(path.read_bytes()).digest())

    @contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        del offset, length
        raise ThawNeeded(tier=self.config.tier, location=key.location, after="12 hours")
        yield


class Mute(Frozen):
    """An archive class whose server tells no SHA-256; ``vouched`` says who vouches for what was written."""

    vouched: Vouched | None = None

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        return replace(FilesystemStore.put(self, location, content, info), vouched=self.vouched)

    def head(self, key: ObjectKey) -> Stored:
        return replace(FilesystemStore.head(self, key), sha256=None)


def table_of(house: House, manifest: dump_files.Manifest, table: str) -> list[str]:
    """The lines of a table in a dump."""
    part = next(part for part in manifest.parts if part.table == table)
    with dump.dumps_home(house.keeper.engine).open(ObjectKey(part.location)) as chunks:
        return gzip.decompress(b"".join(chunks)).decode().splitlines()


def newest(house: House) -> dump_files.Manifest:
    """The manifest of the newest dump."""
    store = dump.dumps_home(house.keeper.engine)
    return dump_files.read_manifest(store, dump_files.chosen(dump_files.listed(store), "cold", None).name)


def test_a_dump_has_every_table(house: House) -> None:
    """A dump has a file for every table with its rows, and a manifest that says how many."""
    for number in range(3):
        house.store(f"a{number}", b"%d" % number)
    result = dump.dump(house.keeper.engine, caller=TESTER)
    manifest = newest(house)
    assert result.counts["tables"] == len(manifest.parts) > 10
    assert {part.table: part.rows for part in manifest.parts}["artifacts"] == 3
    assert len(table_of(house, manifest, "artifacts")) == 3
    assert all(place.startswith(("hot/", "cold/.tierkeeper/")) for place in house.everything())


def test_events_are_exported_once(house: House) -> None:
    """Each dump adds a segment with the events since the last one, and names those that are there."""
    for number in range(3):
        house.store(f"a{number}")
        dump.dump(house.keeper.engine, caller=TESTER)
    manifest = newest(house)
    assert len(manifest.events) == 3
    assert manifest.events[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(manifest.events))
    assert sum(segment.rows for segment in manifest.events) <= len(list(house.keeper.events.select()))


def test_a_lost_segment_is_made_anew(house: House) -> None:
    """Where a segment is missing the next dump exports the events from the beginning."""
    house.store("a")
    dump.dump(house.keeper.engine, caller=TESTER)
    store = dump.dumps_home(house.keeper.engine)
    store.delete([ObjectKey(segment.location) for segment in newest(house).events])
    dump.dump(house.keeper.engine, caller=TESTER)
    (segment,) = newest(house).events
    assert segment.start == 0
    assert segment.rows == len(list(house.keeper.events.select()))


def test_the_last_ones_are_kept(open_house: OpenHouse) -> None:
    """Only as many dumps stay as the settings say; one that was interrupted counts for nothing and goes with them."""
    house = open_house(dumps={"keep": 2})
    engine = house.keeper.engine
    store = dump.dumps_home(engine)
    dump.dump(engine, caller=TESTER)
    (first,) = dump.listed(engine)
    store.delete([ObjectKey(dump_files.located(first.name, dump_files.MANIFEST))])
    assert [view.complete for view in dump.listed(engine)] == [False]
    for _ in range(2):
        dump.dump(engine, caller=TESTER)
    assert [view.complete for view in dump.listed(engine)] == [True, True]
    dump.dump(engine, caller=TESTER)
    views = dump.listed(engine)
    assert [view.complete for view in views] == [True, True]
    assert newest(house).name == views[0].name


def test_two_dumps_at_once_leave_each_other(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is being made looks as if it was interrupted: whoever ends first deletes none, the next one does."""
    house = open_house(dumps={"keep": 1})
    engine, whole = house.keeper.engine, dump._verify

    def meanwhile(*args: Any, **given: Any) -> None:  # noqa: ANN401  handed on
        monkeypatch.setattr(dump, "_verify", whole)
        dump.dump(engine, caller=TESTER)
        whole(*args, **given)

    monkeypatch.setattr(dump, "_verify", meanwhile)
    dump.dump(engine, caller=TESTER)
    assert [view.complete for view in dump.listed(engine)] == [True, True]
    assert {run.state.value for run in house.keeper.runs.latest(limit=9) if run.kind is RunKind.DUMP} == {"done"}
    dump.dump(engine, caller=TESTER)
    assert len(dump.listed(engine)) == 1


class Kept(Around):
    """A store that deletes all but manifests."""

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        kept = [key for key in keys if key.location.endswith(f"/{dump_files.MANIFEST}")]
        done = self.inner.delete([key for key in keys if key not in kept])
        return [*done, *(DeleteResult(key, DeleteState.FAILED, "no", "StoreDenied") for key in kept)]


def test_a_dump_whose_manifest_stays_keeps_its_files(open_house: OpenHouse) -> None:
    """It counts, so a rebuild from it has to work."""
    house = open_house(dumps={"keep": 1})
    engine = house.keeper.engine
    stores = cast("dict[str, Store]", engine.stores)
    dump.dump(engine, caller=TESTER)
    (first,) = dump.listed(engine)
    stores["cold"] = Kept(stores["cold"])
    dump.dump(engine, caller=TESTER)
    assert dump.listed(engine)[-1] == first


def test_nothing_goes_while_deletes_are_off(open_house: OpenHouse) -> None:
    """While deletes are switched off, older dumps stay."""
    house = open_house(dumps={"keep": 1})
    dump.dump(house.keeper.engine, caller=TESTER)
    house.sql("UPDATE switches SET value = 'false' WHERE name = 'deletes_enabled'")
    dump.dump(house.keeper.engine, caller=TESTER)
    assert len(dump.listed(house.keeper.engine)) == 2


def test_only_a_pruning_ends_what_was_refused_to_one(open_house: OpenHouse) -> None:
    """A dump that does not try to delete older ones leaves their refusal; its own is apart, and so are its counts."""
    house = open_house(dumps={"keep": 1})
    engine = house.keeper.engine
    stores = cast("dict[str, Store]", engine.stores)
    kind = stores["cold"]

    def refused() -> list[str]:
        return sorted(row.name for row in house.sql("SELECT name FROM switches WHERE name LIKE 'refused:%'"))

    kept = ["refused:pruning of dumps:cold"]
    dump.dump(engine, caller=TESTER)
    stores["cold"] = Undeletable(kind)
    assert dump.dump(engine, caller=TESTER).counts["rows"]
    assert refused() == kept
    stores["cold"] = broken(kind, ValueError, "put")
    with pytest.raises(StoreError):
        dump.dump(engine, caller=TESTER)
    stores["cold"] = kind
    assert refused() == ["refused:dump:cold", *kept]
    house.sql("UPDATE switches SET value = 'false' WHERE name = 'deletes_enabled'")
    dump.dump(engine, caller=TESTER)
    assert refused() == kept
    house.sql("UPDATE switches SET value = 'true' WHERE name = 'deletes_enabled'")
    assert dump.dump(engine, caller=TESTER).counts["older dumps deleted"] == 3
    assert refused() == []


def test_an_older_catalog_pushes_no_newer_dump_out(open_house: OpenHouse) -> None:
    """A catalog that is recognised as an older copy may be dumped, but deletes no dump."""
    house = open_house(dumps={"keep": 1})
    engine = house.keeper.engine
    before = house.sql("SELECT value::text AS value FROM switches WHERE name = 'epoch'")[0].value
    dump.dump(engine, caller=TESTER)
    house.sql("UPDATE switches SET value = CAST(:value AS jsonb) WHERE name = 'epoch'", value=before)
    for _ in range(2):
        dump.dump(engine, caller=TESTER)
    assert len(dump.listed(engine)) == 3


@pytest.mark.parametrize("spoilt", [Flipping, Frozen])
def test_a_dump_that_is_not_right_deletes_nothing(open_house: OpenHouse, spoilt: type[Flipping]) -> None:
    """A dump that is not what was written, as a read or the server's own SHA-256 tells, fails; the older ones stay."""
    house = open_house(dumps={"keep": 1})
    engine = house.keeper.engine
    dump.dump(engine, caller=TESTER)
    stores = cast("dict[str, Store]", engine.stores)
    stores["cold"] = spoilt.from_url(stores["cold"].config)
    with pytest.raises(ContentMismatch):
        dump.dump(engine, caller=TESTER)
    assert [view.complete for view in dump.listed(engine)] == [False, True]
    assert house.keeper.runs.latest(limit=1)[0].state.value == "failed"


@contextmanager
def spoiling(house: House, what: str) -> Iterator[None]:
    """Let the coldest tier spoil the objects with this in their location."""
    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    whole = stores["cold"]
    stores["cold"] = spoilt = Flipping.from_url(whole.config)
    spoilt.spoils = what
    yield
    stores["cold"] = whole


@pytest.mark.parametrize("what", ["/events/", "artifacts.copy.gz", "/manifest-"])
def test_what_was_not_read_back_is_in_no_later_dump(catalog: Catalog, what: str) -> None:
    """Bad nights push no good dump out, and the next good one has no file of theirs: a rebuild has every event."""
    with catalog(dumps={"keep": 1}) as house:
        engine = house.keeper.engine
        house.store("one", b"one")
        dump.dump(engine, caller=TESTER)
        (good,) = dump.listed(engine)
        house.store("two", b"two")
        with spoiling(house, what):
            for _ in range(2):
                with pytest.raises(ContentMismatch):
                    dump.dump(engine, caller=TESTER)
        assert [(view.complete, view.name == good.name) for view in dump.listed(engine)] == [
            (False, False),
            (False, False),
            (True, True),
        ]
        assert newest(house).name == good.name
        house.store("three", b"three")
        dump.dump(engine, caller=TESTER)
        (last,) = dump.listed(engine)
        manifest = newest(house)
        assert manifest.events[0] == chained(house, UUID(manifest.line))[0]
        assert tuple(chained(house, UUID(manifest.line))) == manifest.events
        number = house.sql("SELECT count(*) AS all FROM events WHERE at <= :at", at=manifest.taken_at)[0].all
    with catalog() as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert (result.dump, result.counts) == (last.name, {})
        assert house.sql("SELECT count(*) AS all FROM events WHERE at <= :at", at=manifest.taken_at)[0].all == number


def test_a_dump_counts_only_once_it_was_read_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed while it reads its dump back leaves one that is not complete, and a segment of none."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    house.store()
    with monkeypatch.context() as patch:
        patch.setattr(opener, "read", killed)
        with pytest.raises(KeyboardInterrupt):
            dump.dump(house.keeper.engine, caller=TESTER)
    (view,) = dump.listed(house.keeper.engine)
    assert not view.complete
    dump.dump(house.keeper.engine, caller=TESTER)
    (segment,) = newest(house).events
    assert segment.start == 0


def test_a_segment_of_another_size_is_in_no_chain(house: House) -> None:
    """What was cut since it was read back is no part of a later dump: that has all events itself."""
    house.store()
    dump.dump(house.keeper.engine, caller=TESTER)
    manifest = newest(house)
    base = Path(urlsplit(dump.dumps_home(house.keeper.engine).config.url).path)
    path = base / manifest.events[0].location
    path.write_bytes(path.read_bytes()[:-1])
    assert chained(house, UUID(manifest.line)) == []
    dump.dump(house.keeper.engine, caller=TESTER)
    (segment,) = newest(house).events
    assert (segment.start, segment.size) == (0, (base / segment.location).stat().st_size)


def test_a_dump_of_the_release_before_counts(house: House) -> None:
    """It wrote its manifest under the one name, and no object that says that its segment was read back."""
    dump.dump(house.keeper.engine, caller=TESTER)
    store = dump.dumps_home(house.keeper.engine)
    manifest = newest(house)
    folder = Path(urlsplit(store.config.url).path) / dump_files.FOLDER / manifest.name
    (sealed,) = folder.glob(f"manifest-{'?' * 64}.json")
    sealed.unlink()
    assert newest(house) == manifest


@pytest.mark.parametrize("vouched", [None, Vouched.WRITTEN])
def test_a_dump_that_nobody_vouches_for_deletes_nothing(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, vouched: Vouched | None
) -> None:
    """What cannot be read back, and has no SHA-256 at its server, must have been vouched for as it was written."""
    house = open_house(dumps={"keep": 1})
    engine = house.keeper.engine
    dump.dump(engine, caller=TESTER)
    stores = cast("dict[str, Store]", engine.stores)
    stores["cold"] = Mute.from_url(stores["cold"].config)
    monkeypatch.setattr(Mute, "vouched", vouched)
    if vouched is None:
        with pytest.raises(ContentMismatch, match="nobody vouches"):
            dump.dump(engine, caller=TESTER)
        assert [view.complete for view in dump.listed(engine)] == [False, True]
    else:
        dump.dump(engine, caller=TESTER)
    assert house.keeper.runs.latest(limit=1)[0].state.value == ("failed" if vouched is None else "done")


def test_the_manifest_is_readable_by_people(house: House) -> None:
    """The manifest is JSON with the format, the time, the epoch, and the hash of each part."""
    dump.dump(house.keeper.engine, caller=TESTER)
    store = dump.dumps_home(house.keeper.engine)
    with store.open(ObjectKey(dump_files.located(newest(house).name, dump_files.MANIFEST))) as chunks:
        document = json.loads(b"".join(chunks))
    assert document["format"] == 1
    assert document["epoch"] == 2
    assert all(len(part["sha256"]) == 64 for part in document["parts"])


def chained(house: House, line: UUID) -> list[EventSegment]:
    """The segments of a line that have all events before the end of the last one."""
    with house.keeper.engine.catalog.reading() as connection:
        now = events.horizon(connection)
    return dump_files.chain(dump_files.segments(dump.dumps_home(house.keeper.engine), line), now)


def test_segments_of_the_release_before_are_in_no_chain(house: House) -> None:
    """Its segments have events without their order, so the first dump after an upgrade writes all events again."""
    house.store()
    dump.dump(house.keeper.engine, caller=TESTER)
    store = dump.dumps_home(house.keeper.engine)
    (folder,) = {o.location.rpartition("/")[0] for o in store.list(dump_files.EVENTS_FOLDER)}
    line = UUID(folder.rpartition("/")[2])
    (segment,) = chained(house, line)
    assert segment.rows == house.sql("SELECT count(*) AS all FROM events")[0].all
    base = Path(urlsplit(store.config.url).path)
    (base / segment.location).rename(base / segment.location.replace("/v3-", "/"))
    assert chained(house, line) == []
    dump.dump(house.keeper.engine, caller=TESTER)
    (again,) = chained(house, line)
    assert again.start == segment.start
