"""What every store must do: a suite that each adapter's test file runs by inheriting it.

A subclass gives two fixtures: ``store``, prepared and empty, and ``sibling``, another store of the same realm.
"""

import hashlib
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO, cast

import pytest
from support.stored_objects import MIB, info_of, put, read

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Vouched
from tierkeeper.stores.base import DeleteState, ObjectKey, Put, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreError, StorePermanent

NAMES = ["plain.md", "äöü/ßtraße 日本語.md", "a b/c+d&e=f%20g#h;i'j", "x" * 255, "deep/" * 40 + "end", "ünï" * 50]


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time and cannot be rewound, as a pipe does."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io's stub wants the Buffer of 3.12
        piece = self._content.read(min(len(buffer), 70_001))
        buffer[: len(piece)] = piece
        return len(piece)


class StoreContract:
    """The behaviour of the port."""

    def overwrite(self, store: Store, key: ObjectKey, content: bytes) -> None:
        """Write other bytes where a copy lies, as a foreign hand would."""
        raise NotImplementedError

    def test_what_was_put_is_read_back(self, store: Store) -> None:
        """A copy is read back byte for byte, and the store says its size and vouches for its SHA-256."""
        key, info, stored = put(store, b"# Week 20\n")
        assert read(store, key) == b"# Week 20\n"
        assert (stored.location, stored.size) == (store.location(info), 10)
        assert stored.sha256 == info.sha256

    def test_head_says_what_is_there(self, store: Store) -> None:
        """A look at a copy gives its location, size, SHA-256, version and a recent aware time."""
        key, info, stored = put(store, b"content")
        found = store.head(key)
        assert (found.location, found.size, found.version) == (key.location, 7, stored.version)
        assert found.sha256 in {info.sha256, None}
        assert found.modified is not None
        assert abs((datetime.now(UTC) - found.modified).total_seconds()) < 300

    def test_objects_say_what_they_are(self, store: Store) -> None:
        """All that travelled with the bytes is read back from the store alone, as it was given."""
        awkward = info_of(
            b"{}", name="grün/ä b%.md", tenant="ténant µ", metadata={"team": "fi\u2013nance", "n": [1, 2]}
        )
        for info in (awkward, replace(info_of(b"{}"), metadata={})):
            key, _, _ = put(store, b"{}", info)
            assert store.describe(key) == info
        with pytest.raises(ObjectNotFound):
            store.describe(ObjectKey(store.location(info_of(b"never"))))

    def test_tierkeeper_keeps_things_of_its_own(self, store: Store) -> None:
        """Below its reserved folder a store takes what no tenant can put there; one of records takes only records."""
        info = info_of(b"mine")
        location = f".tierkeeper/epoch/7-{info.placement}"
        if store.is_database:
            with pytest.raises(StorePermanent):
                store.put(location, io.BytesIO(b"mine"), info)
            return
        store.put(location, io.BytesIO(b"mine"), info)
        assert read(store, ObjectKey(location)) == b"mine"
        put(store, b"theirs", info_of(b"theirs", tenant=".tierkeeper"))
        assert [found.location for found in store.list(".tierkeeper/")] == [location]
        assert len(list(store.list())) == 2

    def test_empty_content_is_content(self, store: Store) -> None:
        """Zero bytes are stored, found and read back like any others."""
        key, _, _ = put(store, b"")
        assert store.head(key).size == 0
        assert read(store, key) == b""
        assert read(store, key, offset=3) == b""
        assert read(store, key, length=5) == b""

    def test_ranges(self, store: Store) -> None:
        """Any range is read as it is in the content, also across the end and behind it."""
        key, _, _ = put(store, b"0123456789")
        assert read(store, key, offset=4) == b"456789"
        assert read(store, key, offset=4, length=3) == b"456"
        assert read(store, key, offset=8, length=100) == b"89"
        assert read(store, key, length=0) == b""
        assert read(store, key, offset=10) == b""
        assert read(store, key, offset=500, length=2) == b""

    def test_large_content_streams(self, store: Store) -> None:
        """20 MiB go in and come out in pieces of at most 1 MiB, whole and by range."""
        content = os.urandom(20 * MIB + 17)
        key, info, _ = put(store, content)
        assert store.head(key).size == info.size
        digest = hashlib.sha256()
        with store.open(key) as pieces:
            for piece in pieces:
                assert 0 < len(piece) <= MIB
                digest.update(piece)
        assert digest.digest() == info.sha256
        assert read(store, key, offset=17 * MIB - 5, length=2 * MIB) == content[17 * MIB - 5 : 19 * MIB - 5]

    def test_content_is_taken_from_where_it_stands(self, store: Store) -> None:
        """What a file has before its current position is not stored."""
        for body in (b"body", os.urandom(3 * MIB)):
            content = io.BytesIO(b"head" + body)
            content.seek(4)
            info = info_of(body)
            stored = store.put(store.location(info), content, info)
            assert read(store, ObjectKey(stored.location, stored.version)) == body

    def test_content_that_cannot_be_rewound(self, store: Store) -> None:
        """A pipe that gives a few bytes at a time is stored whole."""
        content = os.urandom(3 * MIB + 1)
        info = info_of(content)
        stored = store.put(store.location(info), cast("BinaryIO", Trickle(content)), info)
        assert read(store, ObjectKey(stored.location, stored.version)) == content

    @pytest.mark.parametrize("wrong", ["other bytes", "fewer", "more"])
    @pytest.mark.parametrize("size", [1000, 3 * MIB, 17 * MIB])
    def test_a_mismatch_leaves_nothing(self, store: Store, wrong: str, size: int) -> None:
        """Bytes that are not those announced are refused, and nothing is then visible at the location."""
        announced = os.urandom(size)
        given = {
            "other bytes": announced[:-1] + bytes([announced[-1] ^ 1]),
            "fewer": announced[:-1],
            "more": announced + b"?",
        }[wrong]
        info = info_of(announced)
        location = store.location(info)
        with pytest.raises(ContentMismatch):
            store.put(location, io.BytesIO(given), info)
        with pytest.raises(ObjectNotFound):
            store.head(ObjectKey(location))
        assert list(store.list()) == []

    def test_what_the_content_raises_is_its_owners(self, store: Store) -> None:
        """An error of reading the content is no fault of the tier: it comes out as it was, and nothing stays."""
        raised = OSError(5, "the source's disk has a bad day")

        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell():
                    raise raised
                return super().read(min(size or 0, 1000))

        info = info_of(bytes(5000))
        with pytest.raises(OSError, match="bad day") as found:
            store.put(store.location(info), Breaking(bytes(5000)), info)
        assert found.value is raised
        assert list(store.list()) == []

    def test_many_are_put_as_one_is(self, store: Store) -> None:
        """Each has the outcome that it has by itself, and the bad ones stop no other and leave nothing."""
        raised = OSError(5, "the source's disk has a bad day")

        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                del size
                raise raised

        contents = [b"a", b"", os.urandom(3 * MIB), b"other bytes", b"fewer", bytes(2000), b"after them"]
        infos = [info_of(each, name=f"dir/{n}") for n, each in enumerate(contents)]
        given: list[BinaryIO] = [io.BytesIO(each) for each in contents]
        given[3], given[4], given[5] = io.BytesIO(b"other_bytes"), io.BytesIO(b"few"), Breaking()
        puts = [Put(store.location(info), each, info) for info, each in zip(infos, given, strict=True)]
        results = store.put_many(puts)
        good = (0, 1, 2, 6)
        for n in good:
            stored = results[n]
            assert isinstance(stored, Stored), stored
            assert (stored.location, stored.size, stored.sha256) == (puts[n].location, infos[n].size, infos[n].sha256)
            assert read(store, ObjectKey(stored.location, stored.version)) == contents[n]
            assert store.describe(ObjectKey(stored.location, stored.version)) == infos[n]
        assert [type(results[n]) for n in (3, 4)] == [ContentMismatch] * 2
        assert results[5] is raised
        assert {each.location for each in store.list()} == {puts[n].location for n in good}
        assert store.put_many([]) == []

    def test_what_is_not_there(self, store: Store) -> None:
        """Looking at, opening and copying what is not there is ObjectNotFound, naming the tier and the location."""
        info = info_of(b"never")
        key = ObjectKey(store.location(info))
        with pytest.raises(ObjectNotFound) as caught:
            store.head(key)
        assert caught.value.data == {"tier": store.config.tier, "location": key.location}
        for length in (None, 0, 5):
            with pytest.raises(ObjectNotFound), store.open(key, length=length):
                pass
        with pytest.raises(ObjectNotFound):
            store.copy(store, key, store.location(info_of(b"never")), info)

    def test_what_was_deleted_is_gone(self, store: Store) -> None:
        """A delete answers for each key in its order, and what it names can be neither seen, read nor listed."""
        keys = [put(store, b"%d" % n)[0] for n in range(5)]
        results = store.delete(keys[:3])
        assert [(r.key, r.state) for r in results] == [(key, DeleteState.DELETED) for key in keys[:3]]
        for key in keys[:3]:
            with pytest.raises(ObjectNotFound):
                store.head(key)
            with pytest.raises(ObjectNotFound), store.open(key):
                pass
        assert {found.location for found in store.list()} == {key.location for key in keys[3:]}

    def test_delete_is_idempotent(self, store: Store) -> None:
        """Deleting what is gone already, or never was, is a success."""
        key, _, _ = put(store, b"x")
        never = ObjectKey(store.location(info_of(b"never")))
        for _ in range(2):
            assert [r.state for r in store.delete([key, never])] == [DeleteState.DELETED] * 2
        assert store.delete([]) == []

    def test_delete_of_what_has_no_version(self, store: Store) -> None:
        """A delete by location alone (a stale intent) removes whatever is there."""
        key, _, _ = put(store, b"x")
        assert store.delete([ObjectKey(key.location)])[0].state is DeleteState.DELETED
        with pytest.raises(ObjectNotFound):
            store.head(ObjectKey(key.location))
        assert list(store.list()) == []

    def test_deletes_in_bulk(self, store: Store) -> None:
        """Some hundred keys go in one call, and the neighbours stay."""
        with ThreadPoolExecutor(8) as threads:
            keys = [key for key, _, _ in threads.map(lambda n: put(store, b"%d" % n), range(300))]
        results = store.delete(keys[:250])
        assert {r.state for r in results} == {DeleteState.DELETED}
        assert {found.location for found in store.list()} == {key.location for key in keys[250:]}

    def test_a_bad_key_does_not_stop_the_others(self, store: Store) -> None:
        """A location that is none of the store's never raises from a bulk delete and does not spoil it."""
        key, _, _ = put(store, b"x")
        results = store.delete([ObjectKey("../../etc/passwd"), key])
        assert results[1].state is DeleteState.DELETED
        with pytest.raises(ObjectNotFound):
            store.head(key)

    def test_the_list_has_everything_below_a_prefix(self, store: Store) -> None:
        """A listing has each copy once with its size, all of them or those below a prefix."""
        assert list(store.list()) == []
        keys = {put(store, b"%d" % n)[0].location for n in range(12)}
        found = list(store.list())
        assert sorted(each.location for each in found) == sorted(keys)
        assert sum(each.size for each in found) == 14
        one = min(keys)
        assert [each.location for each in store.list(one)] == [one]
        parent = one.rpartition("/")[0] + "/"
        assert {each.location for each in store.list(parent)} == {key for key in keys if key.startswith(parent)}
        assert list(store.list("no/such/prefix")) == []

    @pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
    def test_names(self, store: Store, name: str) -> None:
        """Every name that the rules allow can be stored, listed, read and deleted."""
        key, _, _ = put(store, b"content", info_of(b"content", name=name, tenant="ténant µ"))
        assert read(store, key) == b"content"
        assert [found.location for found in store.list()] == [key.location]
        assert store.delete([key])[0].state is DeleteState.DELETED
        assert list(store.list()) == []

    def test_locations_are_never_reused(self, store: Store) -> None:
        """Two placements of the same artifact and content have different locations, which carry their ids."""
        one, other = info_of(b"same"), info_of(b"same")
        assert store.location(one) != store.location(other)
        assert str(one.placement) in store.location(one)

    def test_the_same_bytes_may_come_twice(self, store: Store) -> None:
        """A write repeated after a lost answer succeeds: what is there is what was to be written."""
        for size in (100, 17 * MIB):
            content = os.urandom(size)
            key, info, _ = put(store, content)
            again = store.put(key.location, io.BytesIO(content), info)
            assert again.size == size
            assert read(store, key) == content

    def test_copy(self, store: Store, sibling: Store) -> None:
        """A copy within a realm has the same bytes at a location of its own and outlives its source."""
        assert store.realm == sibling.realm
        for size in (0, 2000, 17 * MIB):
            content = os.urandom(size)
            key, _, _ = put(store, content)
            info = info_of(content)
            stored = sibling.copy(store, key, sibling.location(info), info)
            assert (stored.location, stored.size) == (sibling.location(info), size)
            assert stored.sha256 in {info.sha256, None}
            store.delete([key])
            assert read(sibling, ObjectKey(stored.location, stored.version)) == content

    def test_a_copy_of_other_bytes_is_refused(self, store: Store, sibling: Store) -> None:
        """A copy whose source is not what the catalog says is a ContentMismatch."""
        key, _, _ = put(store, b"what is there")
        info = info_of(b"what should be")
        with pytest.raises(ContentMismatch):
            sibling.copy(store, key, sibling.location(info), info)

    @pytest.mark.parametrize("size", [0, 1000, 3 * MIB, 17 * MIB])
    def test_what_was_put_is_vouched_for(self, store: Store, size: int) -> None:
        """Bytes that were streamed and acknowledged are vouched for, and their pin reads them."""
        content = os.urandom(size)
        key, _, stored = put(store, content)
        assert stored.vouched in {Vouched.WRITTEN, Vouched.SERVER}
        assert read(store, replace(key, pin=stored.pin)) == content
        assert store.head(replace(key, pin=stored.pin)).size == size
        seen = store.head(key)
        assert seen.vouched is None  # a look vouches for nothing, though it may name what is there
        assert seen.pin in {None, stored.pin}

    @pytest.mark.parametrize("size", [5000, 10 * MIB, 17 * MIB])
    def test_a_swapped_source_is_not_vouched_for(self, store: Store, sibling: Store, size: int) -> None:
        """Where a source was overwritten with as many other bytes, its copy fails, or nobody vouches for it."""
        content, other = os.urandom(size), os.urandom(size)
        key, info, stored = put(store, content)
        self.overwrite(store, key, other)
        for source in (replace(key, pin=stored.pin), key, ObjectKey(key.location)):
            target = sibling.location(replace(info, placement=new_id()))
            try:
                copied = sibling.copy(store, source, target, info)
            except ContentMismatch:
                continue
            assert copied.vouched is None or read(sibling, ObjectKey(target, copied.version)) == content

    def test_a_pin_reads_no_other_bytes(self, store: Store) -> None:
        """What a pin names is read, whole or in part, or it is a ContentMismatch; never what came there since."""
        key, _, stored = put(store, b"0123456789")
        self.overwrite(store, key, b"abcdefghij")
        if stored.pin is None:  # this store's pins name nothing
            return
        pinned = replace(key, pin=stored.pin)
        for offset, length in ((0, None), (3, 4), (10, None), (0, 0)):
            try:
                found = read(store, pinned, offset=offset, length=length)
            except ContentMismatch:
                continue
            assert found == b"0123456789"[offset:][:length]
        assert store.delete([pinned])[0].state is DeleteState.DELETED

    def test_many_at_once(self, store: Store) -> None:
        """Threads that put, read, list and delete side by side do not disturb each other."""
        errors: list[StoreError] = []

        def work(n: int) -> None:
            content = b"%d " % n * 1000
            try:
                key, _, _ = put(store, content, info_of(content, name=f"shared/folder/{n % 3}/f"))
                assert read(store, key) == content
                list(store.list(key.location[:6]))
                assert store.delete([key])[0].state is DeleteState.DELETED
            except StoreError as error:
                errors.append(error)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(120)))
        assert errors == []
        assert list(store.list()) == []

    def test_the_same_placement_at_once(self, store: Store) -> None:
        """Several writers of one placement all succeed, and its bytes are right."""
        content = os.urandom(200_000)
        info = info_of(content)
        start = threading.Barrier(4)

        def work(_: int) -> int:
            start.wait()
            return store.put(store.location(info), io.BytesIO(content), info).size

        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(work, range(4))) == {len(content)}
        assert read(store, ObjectKey(store.location(info))) == content

    def test_prepare_is_idempotent(self, store: Store) -> None:
        """Preparing what is prepared makes nothing and keeps everything; a check of it passes."""
        key, _, _ = put(store, b"x")
        assert store.prepare() == []
        store.check()
        assert read(store, key) == b"x"
