"""What every store must do about the mark of its tier: the part of the contract that adapters inherit beside it."""

import io
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from support.stored_objects import info_of, put, read

from tierkeeper.stores.base import DeleteState, ObjectKey, Store
from tierkeeper.stores.errors import MarkUnreadable, StorePermanent, TierNotOurs
from tierkeeper.stores.tier_mark import TierMark


def mark_of(store: Store) -> TierMark:
    """A fresh mark for the store's tier."""
    return TierMark(uuid4(), uuid4(), store.config.tier, datetime.now(UTC))


class MarkContract:
    """The behaviour of the port, about marks."""

    #: what may lie where a mark belongs, and is none
    no_marks: Sequence[bytes] = (
        b"",
        b'{"format": 1, "cata',
        b"[1]",
        b'{"format": 2}',
        b"[" * 60_000,
        b" " * 70_000,
        json.dumps(
            {
                "format": 1,
                "catalog": str(uuid4()),
                "line": str(uuid4()),
                "tier": "hot",
                "made": "0001-01-01T00:00:00+23:00",
            }
        ).encode(),
    )

    def spoil(self, store: Store, content: bytes) -> None:
        """Let ``content`` lie where the mark belongs."""
        raise NotImplementedError

    def test_what_is_no_mark_is_replaced_only_knowingly(self, store: Store) -> None:
        """What cannot be read as a mark keeps the tier from being used until it is replaced by who says so."""
        for content in self.no_marks:
            self.spoil(store, content)
            mine = mark_of(store)
            for call in (
                store.mark,
                lambda mine=mine: store.write_mark(mine),
                lambda mine=mine: store.replace_mark(mine, over=mine),
            ):
                with pytest.raises(MarkUnreadable, match=f"init --adopt {store.config.tier}"):
                    call()
            assert store.replace_mark(mine, over=None) == mine
            assert store.mark() == mine
            with pytest.raises(StorePermanent):
                store.replace_mark(mark_of(store), over=None)
            assert store.mark() == mine

    def test_a_mark_is_written_once(self, store: Store) -> None:
        """A place has no mark until one is written; then it stays whatever comes, and is no object of the listing."""
        assert store.mark() is None
        first, second = mark_of(store), mark_of(store)
        assert store.write_mark(first) == first
        assert store.write_mark(second) == first
        assert store.mark() == first
        assert list(store.list()) == []
        assert store.prepare() == []

    def test_of_many_marks_one_stays(self, store: Store) -> None:
        """Who marks a place at the same time as others is told the one mark that stays."""
        start = threading.Barrier(6)

        def work(_: int) -> TierMark:
            mine = mark_of(store)
            start.wait()
            return store.write_mark(mine)

        with ThreadPoolExecutor(6) as threads:
            assert set(threads.map(work, range(6))) == {store.mark()}

    def test_a_mark_is_replaced_only_knowingly(self, store: Store) -> None:
        """A mark is replaced by who names the one that is there; with another, or where none is, nothing changes."""
        first, second = mark_of(store), mark_of(store)
        with pytest.raises(StorePermanent):
            store.replace_mark(second, over=first)
        assert store.mark() is None
        store.write_mark(first)
        with pytest.raises(StorePermanent):
            store.replace_mark(second, over=mark_of(store))
        assert store.mark() == first
        assert store.replace_mark(second, over=first) == second
        assert store.mark() == second

    def test_a_bound_store_asks_its_guard_within_each_call(self, store: Store) -> None:
        """A guard that refuses the mark is heard by every call: nothing is read, written, listed or called gone."""
        key, info, _ = put(store, b"x")
        first = store.write_mark(mark_of(store))
        seen: list[TierMark | None] = []

        def note(mark: TierMark | None) -> bool:
            seen.append(mark)
            return True

        store.guard = note
        store.head(key)
        if not store.bound:
            assert seen == []
            return
        assert seen[:1] == [first]
        store.replace_mark(mark_of(store), over=first)

        def refuse(_: TierMark | None) -> bool:
            raise TierNotOurs(tier=store.config.tier, reason="a test says so")

        store.guard = refuse
        never = ObjectKey(store.location(info_of(b"never")))
        for call in (
            lambda: store.head(key),
            lambda: store.head(never),
            lambda: store.describe(key),
            lambda: list(store.list()),
            lambda: store.put(never.location, io.BytesIO(b"x"), info),
            lambda: store.copy(store, key, never.location, info),
            lambda: store.open(key).__enter__(),
            store.check,
        ):
            with pytest.raises(TierNotOurs):
                call()
        assert [r.state for r in store.delete([key, never])] == [DeleteState.FAILED] * 2
        store.guard = None
        assert read(store, key) == b"x"
        assert [found.location for found in store.list()] == [key.location]
