"""Storing through the keeper: versions, deduplication, keys, batches, and what may not be stored."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from support.callers import TESTER
from support.house import TENANT, WORKFLOW, House, OpenHouse

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CommandConflict, InvalidInput, OversizedContent, UnreadableClock
from tierkeeper.base.states import ArtifactState
from tierkeeper.values.artifacts import ItemError, StoreResult
from tierkeeper_client.contract import InlineContent, PurgeArgs, StoreArgs


def test_what_was_stored_is_told_and_kept(house: House) -> None:
    """Content type, tags, metadata and creation time come back as they were given."""
    created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    metadata = {"author": "Zoë", "pages": 3, "nested": {"a": [1, 2]}}
    house.store("a", b"x", content_type="text/plain", tags={"kind": "report"}, metadata=metadata, created=created)
    view = house.show()
    assert view.metadata == metadata
    assert view.tags == {"kind": "report"}
    assert (view.content_type, view.created_at, view.size) == ("text/plain", created, 1)


def test_another_content_is_the_next_version(house: House) -> None:
    """Every store of other content under a name makes a version; each reads back its own bytes."""
    for number in (1, 2, 3):
        assert house.store("a", b"v%d" % number).ref.version == number
    assert [house.read("a", v) for v in (1, 2, 3)] == [b"v1", b"v2", b"v3"]
    assert house.read("a") == b"v3"
    house.settle()


def test_the_same_content_is_no_version(house: House) -> None:
    """Storing what the latest version already says changes nothing; with ``force`` it is a version."""
    first = house.store("a", b"same", tags={"k": "v"})
    again = house.store("a", b"same", tags={"k": "v"})
    assert (again.outcome, again.artifact) == ("unchanged", first.artifact)
    assert house.store("a", b"same", tags={"k": "other"}).ref.version == 2
    assert house.store("a", b"same", tags={"k": "other"}, force=True).ref.version == 3
    assert len(house.everything()) == 1
    house.settle()


def test_an_unchanged_store_leaves_no_copy_behind(house: House) -> None:
    """Storing an artifact again that has moved on to warm does not leave a copy in hot that nobody wants."""
    house.store(age=timedelta(days=8))
    house.turn()
    house.collect()
    assert house.store().outcome == "unchanged"
    house.settle()
    assert house.tiers() == {"warm"}


def test_versions_are_kept_up_to_a_number(house: House) -> None:
    """A policy that keeps two versions deletes the older ones, as its rule, and their undo window begins."""
    house.policy("name: two\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nversions: {keep: 2}\nundo: 1d")
    for number in range(4):
        house.store("a", b"v%d" % number)
    assert house.turn()["deleted"] == 2
    assert [house.show("a", v).state.value for v in (1, 2, 3, 4)] == ["deleted", "deleted", "live", "live"]
    (event,) = house.keeper.events.select(ref=house.ref("a", 1), type="deleted")
    assert event.policy == "two v1: versions keep 2"
    house.days_pass(1.1)
    house.settle()
    assert [house.show("a", v).state.value for v in (1, 2, 3, 4)] == ["purged", "purged", "live", "live"]


def test_two_names_share_one_copy(house: House) -> None:
    """Equal content of one tenant is one copy; another tenant has its own."""
    assert house.store("a", b"shared").outcome == "stored"
    assert house.store("b", b"shared").outcome == "deduplicated"
    assert len(house.everything()) == 1
    assert house.store("a", b"shared", tenant="other").outcome == "stored"
    assert len(house.everything()) == 2
    house.settle()


def test_a_second_delivery_gets_the_first_result(house: House) -> None:
    """The same key with the same arguments returns the first result and stores nothing again."""
    caller, args = Caller("tester", key="a key"), house.args()
    first = house.keeper.artifacts.store(args, caller=caller)
    assert house.keeper.artifacts.store(args, caller=caller) == first
    assert house.events() == ["stored"]


def test_calls_without_a_key_are_each_their_own(house: House) -> None:
    """Who asks twice without a key gets two answers: what was purged in between is stored again."""
    first = house.keeper.artifacts.store(house.args(), caller=TESTER)
    house.keeper.artifacts.purge(PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name="a"), caller=TESTER)
    second = house.keeper.artifacts.store(house.args(), caller=TESTER)
    assert (first.ref.version, second.ref.version, second.outcome) == (1, 2, "deduplicated")
    assert house.show().state is ArtifactState.LIVE


def test_a_key_with_other_arguments_is_refused(house: House) -> None:
    """A key that was used for one store can't be used for another, and nothing changes."""
    caller = Caller("tester", key="a key")
    house.keeper.artifacts.store(house.args(), caller=caller)
    with pytest.raises(CommandConflict):
        house.keeper.artifacts.store(house.args(content=b"other"), caller=caller)
    assert house.show().ref.version == 1


def test_a_batch_has_an_outcome_for_each(house: House) -> None:
    """Bad items of a batch get their own errors, in their places; the good ones are stored."""
    items = [
        house.args("good", b"1"),
        house.args("large", b"x" * 70_000),
        house.args("good", b"2"),
        house.args("tomorrow", b"3", created=datetime.now(UTC) + timedelta(days=1)),
        house.args("twin", b"1"),
    ]
    results = house.keeper.artifacts.store_many(items, caller=TESTER)
    assert isinstance(results[1], ItemError)
    assert results[1].error["error"] == "OversizedContent"
    assert isinstance(results[3], ItemError)
    assert results[3].error["error"] == "InvalidInput"
    good = [r for r in results if isinstance(r, StoreResult)]
    assert [(r.ref.name, r.ref.version) for r in good] == [("good", 1), ("good", 2), ("twin", 1)]
    house.settle()


def test_a_batch_delivered_twice_is_stored_once(house: House) -> None:
    """A second delivery of a batch returns each item's first result and adds what failed the first time."""
    caller = TESTER.keyed()
    items = [house.args(f"n{i}", b"%d" % i) for i in range(5)]
    first = house.keeper.artifacts.store_many(items, caller=caller)
    assert house.keeper.artifacts.store_many(items, caller=caller) == first
    assert len(list(house.keeper.events.select(type="stored"))) == 5


def test_threads_storing_the_same_content_make_one_copy(open_house: OpenHouse) -> None:
    """Many stores of one content at once all succeed; one copy stays, the losers are collected."""
    house = open_house()
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda i: house.store(f"n{i % 4}", b"the same" * 500, force=True), range(24)))
    assert sorted((r.ref.name, r.ref.version) for r in results) == [(f"n{i}", v) for i in range(4) for v in range(1, 7)]
    house.settle()
    assert len(house.everything()) == 1


def test_threads_with_one_key_store_once(open_house: OpenHouse) -> None:
    """One message delivered to many workers at once has the effect of one."""
    house = open_house()
    caller, args = Caller("tester", key="once"), house.args()
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda _: house.keeper.artifacts.store(args, caller=caller), range(12)))
    assert len(set(results)) == 1
    assert house.events() == ["stored"]
    house.settle()


def test_a_name_can_be_stored_again_after_a_purge(house: House) -> None:
    """A deleted name is stored again as its next version; the deleted one stays deleted."""
    house.store(content=b"one")
    house.purge()
    assert house.store(content=b"one").ref.version == 2
    assert [house.show("a", v).state.value for v in (1, 2)] == ["deleted", "live"]
    house.days_pass(8)
    house.settle()
    assert house.read() == b"one"


def test_a_stream_is_stored_and_read_in_parts(house: House) -> None:
    """Content beyond every limit in memory is stored from a stream and read back whole, or a range of it."""
    content = bytes(range(256)) * 50_000
    args = StoreArgs(tenant=TENANT, workflow=WORKFLOW, name="big", content=InlineContent.of(b""))
    house.keeper.artifacts.store(args, caller=TESTER, content=io.BytesIO(content))
    assert house.read("big") == content
    with house.keeper.artifacts.open(house.ref("big"), offset=300, length=1000) as reading:
        assert b"".join(reading.chunks) == content[300:1300]


def test_no_content_at_all(house: House) -> None:
    """An empty artifact is stored, moved, and read back empty."""
    house.store(content=b"", age=timedelta(days=8))
    house.settle()
    assert house.tiers() == {"warm"}
    assert house.read() == b""


def test_what_is_refused_changes_nothing(house: House) -> None:
    """Inline content over the limit, a creation in the future and an unreadable override are refused whole."""
    with pytest.raises(OversizedContent):
        house.store(content=b"x" * 70_000)
    with pytest.raises(InvalidInput, match="future"):
        house.store(created=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(InvalidInput):
        house.store(metadata={"retention_override": "soon"})
    assert house.everything() == []
    assert house.sql("SELECT count(*) FROM placements")[0][0] == 0


def test_a_metadata_clock_must_be_readable(house: House) -> None:
    """Under a policy that counts from a metadata field, an artifact without it is refused at store."""
    house.policy("name: shot\nmatch: {tenant: acme}\nclock: metadata:shot_at\nphases: [{after: 0d, in: [hot]}]")
    with pytest.raises(UnreadableClock, match="shot_at"):
        house.store()
    house.store(metadata={"shot_at": "2026-01-01"})
    house.settle()
