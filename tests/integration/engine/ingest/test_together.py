"""Many small objects of a batch that are written together: what a store makes of them, and what becomes of each."""

import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from support import crashing, invariants
from support.callers import TESTER
from support.house import LEASES_END, House, OpenHouse

from tierkeeper.engine.ingest import writing
from tierkeeper.stores.base import Put, Stored
from tierkeeper.stores.errors import StoreTransient
from tierkeeper.stores.filesystem import store as folders
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.values.artifacts import ItemError, ItemResult, StoreResult
from tierkeeper_client.contract import StoreArgs

CONTENTS = {"large": bytes(writing._SMALL + 1)} | {f"d/{n:02}": f"content {n}".encode() for n in range(45)}

PutMany = Callable[[FilesystemStore, Sequence[Put]], list[Stored | Exception]]


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of what was written together; at least ten are, and at most twenty."""
    monkeypatch.setattr(folders, "_TOGETHER", 10)
    monkeypatch.setattr(writing, "_TOGETHER", 20)
    seen: list[list[str]] = []

    def noted(put_many: PutMany, store: FilesystemStore, puts: Sequence[Put]) -> list[Stored | Exception]:
        seen.append([put.info.name for put in puts])
        return put_many(store, puts)

    _around(monkeypatch, noted)
    return seen


def _around(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[PutMany, FilesystemStore, Sequence[Put]], list[Stored | Exception]],
) -> None:
    inner: PutMany = FilesystemStore.put_many
    monkeypatch.setattr(FilesystemStore, "put_many", lambda store, puts: call(inner, store, puts))


def store_all(house: House) -> dict[str, ItemResult]:
    """Store all contents as one batch; return the results by name."""
    args: list[StoreArgs | ItemError] = [house.args(name, b"") for name in CONTENTS]
    contents = {n: partial(io.BytesIO, content) for n, content in enumerate(CONTENTS.values())}
    results = house.keeper.artifacts.store_many(args, caller=TESTER, contents=contents)
    return dict(zip(CONTENTS, results, strict=True))


def test_small_ones_are_written_together(house: House, groups: list[list[str]]) -> None:
    """In groups of one size; what is large is written by itself; all are whole."""
    assert {type(result) for result in store_all(house).values()} == {StoreResult}
    assert sorted(groups) == [[f"d/{n:02}" for n in range(start, start + 15)] for start in (0, 15, 30)]
    assert {name: house.read(name) for name in CONTENTS} == CONTENTS
    invariants.check(house.keeper)


def test_few_are_written_singly(house: House, groups: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync of a whole file system waits for what strangers wrote: it is not made for a few."""
    monkeypatch.setattr(folders, "_TOGETHER", 50)
    store_all(house)
    assert groups == []


def test_a_group_that_waits_for_the_disk_keeps_its_leases(
    open_house: OpenHouse, groups: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What strangers wrote may take longer than a lease to reach the disk; collect leaves the group alone."""
    house = open_house(engine={"lease": "1s", "renew_every": "300ms"})

    def slow(put_many: PutMany, store: FilesystemStore, puts: Sequence[Put]) -> list[Stored | Exception]:
        results = put_many(store, puts)
        time.sleep(3)
        return results

    _around(monkeypatch, slow)
    with ThreadPoolExecutor(1) as threads:
        storing = threads.submit(store_all, house)
        while not storing.done():
            house.collect()
            time.sleep(0.1)
    assert {type(result) for result in storing.result().values()} == {StoreResult}
    assert len(groups) == 3, "none was written twice"


def test_each_has_its_own_outcome(house: House, groups: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """An item whose write fails fails alone; where a group could not be written, each is by itself."""
    del groups
    calls: list[int] = []

    def fails(put_many: PutMany, store: FilesystemStore, puts: Sequence[Put]) -> list[Stored | Exception]:
        calls.append(1)
        if len(calls) > 1:
            raise StoreTransient(tier="hot", reason="its disk has a bad day")
        results = put_many(store, puts)
        results[3] = StoreTransient(tier="hot", reason="a bad block")
        return results

    with monkeypatch.context() as bad:
        _around(bad, fails)
        first = store_all(house)
    failed = {name: str(result.error["message"]) for name, result in first.items() if isinstance(result, ItemError)}
    assert ["bad block" in message for message in failed.values()] == [True]
    assert {name for name, result in first.items() if isinstance(result, StoreResult)} == CONTENTS.keys() - failed
    invariants.check(house.keeper)
    again = store_all(house)
    assert {type(result) for result in again.values()} == {StoreResult}
    house.pass_time(LEASES_END)
    house.settle()
    invariants.check_settled(house.keeper)


def test_a_crash_behind_them_leaves_nothing(house: House, groups: list[list[str]]) -> None:
    """What was written together and not committed is collected, as what was written alone."""
    step = crashing.Step("tierkeeper.engine.ingest.ingest", "step_3_write")
    with crashing.crashing(step, "after"), pytest.raises(crashing.Crash):
        store_all(house)
    assert len(groups) == 3
    assert len(house.everything()) == len(CONTENTS)
    house.pass_time(LEASES_END)
    house.settle()
    assert house.everything() == []
    assert {type(result) for result in store_all(house).values()} == {StoreResult}
    house.settle()
    invariants.check_settled(house.keeper)
