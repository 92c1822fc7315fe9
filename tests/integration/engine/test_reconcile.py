"""Reconcile: catalog and stores compared both ways, on folders, in the database and on S3, while work is in flight."""

import hashlib
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from faults import crashing
from faults.crashing import Step, When
from integration.engine.test_workers import Slow
from integration.keeper.house import LEASES_END, House, OpenHouse

from tierkeeper.base.errors import UnknownTier
from tierkeeper.base.findings import Finding, FindingAction, FindingKind, ReconcileResult
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import epochs, runs
from tierkeeper.catalog.database import now as catalog_now
from tierkeeper.engine import reconcile_act, reserved
from tierkeeper.engine.seen import Seen
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import ObjectNotFound
from tierkeeper.stores.filesystem import FilesystemStore
from tierkeeper.stores.s3 import S3Store
from tierkeeper_client.contract import StoreManyArgs

QUARANTINE = timedelta(hours=25)  # longer than the default
CONTENT = b"what was stored"
WEEK = timedelta(days=8)  # old enough for warm, by the default policy


@pytest.fixture(params=["folders", "s3"])
def any_house(request: pytest.FixtureRequest, open_house: OpenHouse) -> House:
    """A keeper whose warm and cold tiers are folders, or buckets."""
    if request.param == "folders":
        return open_house(tiers={"warm": {"options": {"layout": "cas"}}, "cold": {"options": {"layout": "cas"}}})
    endpoint = request.getfixturevalue("s3_endpoint")
    return open_house(
        tiers={
            "warm": {"url": f"s3://warm-bucket/some/prefix?endpoint={endpoint}"},
            "cold": {"url": f"s3://cold-bucket?endpoint={endpoint}"},
        }
    )


def reconcile(house: House, **more: Any) -> tuple[ReconcileResult, list[Finding]]:  # noqa: ANN401  the keeper checks
    """Reconcile; return what was found too."""
    found: list[Finding] = []
    result = house.keeper.steer.reconcile(actor="tester", found=found.append, **more)
    return result, found


def short(found: list[Finding]) -> list[tuple[str, str, str]]:
    """Findings in short, sorted."""
    return sorted((f.tier, f.kind.value, f.action.value) for f in found)


def late(house: House, tier: str = "warm", content: bytes = b"nobody knows") -> str:
    """Write bytes that no placement knows, as a write after its time-out leaves them; return their location."""
    store = house.keeper.engine.store(tier)
    info = ObjectInfo(
        tenant="acme",
        workflow="reports",
        name="late",
        version=1,
        placement=new_id(),
        sha256=hashlib.sha256(content).digest(),
        size=len(content),
        created=datetime.now(UTC),
    )
    return store.put(store.location(info), io.BytesIO(content), info).location


def there(house: House, tier: str, location: str) -> bool:
    """Whether something is at a location."""
    try:
        house.keeper.engine.store(tier).head(ObjectKey(location))
    except ObjectNotFound:
        return False
    return True


def copy_of(house: House, tier: str, name: str = "a") -> tuple[Store, ObjectKey]:
    """The store and the key of an artifact's copy."""
    (row,) = house.sql(
        "SELECT location, store_version FROM placements WHERE tier = :tier AND state <> 'deleting' AND blob_id ="
        " (SELECT blob_id FROM artifacts WHERE id = :id)",
        tier=tier,
        id=house.show(name).id,
    )
    return house.keeper.engine.store(tier), ObjectKey(row.location, row.store_version)


def drop(house: House, tier: str, name: str = "a") -> None:
    """Take the bytes of a copy away behind the engine's back."""
    store, key = copy_of(house, tier, name)
    store.delete([key])


def overwrite(house: House, tier: str, content: bytes, name: str = "a") -> None:
    """Write other bytes where a copy lies."""
    store, key = copy_of(house, tier, name)
    if isinstance(store, S3Store):
        store.place.client.put_object(Bucket=store.place.bucket, Key=store.place.key(key.location), Body=content)
    else:
        (cast("FilesystemStore", store)._tree.root / key.location).write_bytes(content)  # noqa: SLF001  where it lies


def quarantined(house: House) -> int:
    """How many orphans are remembered."""
    (row,) = house.sql("SELECT count(*) AS n FROM quarantine")
    return int(row.n)


def deleted_orphans(house: House) -> list[dict[str, Any]]:
    """What the audit log says of deleted orphans."""
    return [dict(e.before or {}) for e in house.keeper.events(type="orphan deleted")]


@pytest.fixture
def twice(any_house: House) -> House:
    """An artifact in warm and in cold."""
    any_house.store(content=CONTENT, age=timedelta(days=40))
    any_house.turn()
    any_house.restore(to_tier="warm")
    any_house.settle()
    assert any_house.tiers() == {"warm", "cold"}
    return any_house


# -- nothing to find


def test_what_agrees_is_no_finding(twice: House) -> None:
    """Where catalog and stores agree nothing is found; what tierkeeper itself keeps there is no finding either."""
    twice.store("b", b"another")
    for _ in range(2):
        result, found = reconcile(twice)
        assert (found, result.errors, result.held_back, result.state) == ([], 0, None, RunState.DONE)
    assert {t.tier: (t.listed, t.known) for t in result.tiers} == {
        "hot": (1, 1),
        "records": (0, 0),
        "warm": (1, 1),
        "cold": (1, 1),
    }
    cold = twice.keeper.engine.store("cold")
    assert [o for o in cold.list() if reserved.ours(o.location)]  # the epoch's twin, at least
    run = twice.keeper.run(cast("Any", result.run))
    assert (run.kind, run.state, run.counts["listed"]) == (RunKind.RECONCILE, RunState.DONE, 3)


def test_only_the_tiers_asked_for(house: House) -> None:
    """Tiers that are named are reconciled and no others; one that is not there is an error."""
    late(house, "hot")
    result, found = reconcile(house, tiers=["warm", "cold"])
    assert ([t.tier for t in result.tiers], found) == (["warm", "cold"], [])
    with pytest.raises(UnknownTier, match="tepid"):
        reconcile(house, tiers=["tepid"])
    house.keeper.engine.store("hot").delete([ObjectKey(o.location) for o in house.keeper.engine.store("hot").list()])


def test_a_copy_in_flight_is_no_finding(any_house: House) -> None:
    """Bytes whose commit is still to come have their row, so they are no orphan, and the commit finds them."""
    any_house.store(content=CONTENT, age=WEEK)
    worker = Slow(any_house).claim().intend().copy()
    for _ in range(2):
        _, found = reconcile(any_house)
        assert found == []
        any_house.pass_time(QUARANTINE)
    worker = Slow(any_house).claim().intend().copy()
    reconcile(any_house)
    worker.commit()
    _, found = reconcile(any_house)
    assert found == []
    any_house.pass_time(LEASES_END)
    any_house.settle()
    assert any_house.tiers() == {"warm"}


class Meanwhile:
    """Between the listing of a store and what is done with it, something happens."""

    def __init__(self, store: Store, happens: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
        original, done = store.list, []

        def listing(prefix: str = "") -> Iterator[Stored]:
            yield from original(prefix)
            if not prefix and not done:
                done.append(happens())

        monkeypatch.setattr(store, "list", listing)


def test_what_is_stored_and_collected_meanwhile_is_no_finding(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed and then collected, and committed after it was not listed: neither is an orphan, neither is missing."""
    any_house.store("old", b"old content", age=WEEK)
    any_house.settle()
    any_house.store("new", b"new content", age=WEEK)
    worker = Slow(any_house).claim().intend()
    done = []

    def happens() -> None:
        any_house.promote("old", "cold")
        assert any_house.collect().counts["collected"] == 1
        worker.copy()
        done.append(worker.commit())

    Meanwhile(any_house.keeper.engine.store("warm"), happens, monkeypatch)
    result, found = reconcile(any_house, tiers=["warm"])
    assert found == []
    assert [(t.listed, t.known) for t in result.tiers] == [(1, 1)]
    assert (any_house.tiers("old"), any_house.tiers("new"), len(done)) == ({"cold"}, {"warm"}, 1)
    assert quarantined(any_house) == 0


def test_copies_on_their_way_out_are_no_orphans(twice: House) -> None:
    """What is doomed, and what is being deleted, has its row: it is collect's."""
    twice.purge("a")
    twice.sql("UPDATE placements SET state = 'deleting', token = gen_random_uuid(), lease_until = now() + '1 h'")
    for _ in range(2):
        _, found = reconcile(twice)
        assert found == []
        twice.sql("UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now() + '9 days'")
    twice.sql("UPDATE placements SET state = 'present'")


# -- orphans


def test_an_orphan_is_deleted_when_it_was_seen_twice(any_house: House) -> None:
    """Seen once, or twice within a day, it stays; seen again later it is deleted, with an event that says what."""
    any_house.store(content=CONTENT)
    where = late(any_house)
    for _ in range(2):
        result, found = reconcile(any_house)
        assert short(found) == [("warm", "orphan", "quarantine")]
        assert (there(any_house, "warm", where), result.counts.get("orphans deleted")) == (True, None)
    any_house.pass_time(QUARANTINE)
    result, found = reconcile(any_house)
    assert short(found) == [("warm", "orphan", "delete")]
    assert (there(any_house, "warm", where), result.counts["orphans deleted"], quarantined(any_house)) == (False, 1, 0)
    (told,) = deleted_orphans(any_house)
    assert (told["tier"], told["location"], told["size"]) == ("warm", where, 12)
    assert reconcile(any_house)[1] == []


def test_time_alone_deletes_nothing(any_house: House) -> None:
    """An orphan that was seen once, however long ago, must be seen again; gone meanwhile, it is forgotten."""
    where = late(any_house)
    reconcile(any_house)
    any_house.pass_time(QUARANTINE)
    any_house.keeper.engine.store("warm").delete([ObjectKey(where)])
    result, found = reconcile(any_house)
    assert (found, quarantined(any_house), deleted_orphans(any_house)) == ([], 0, [])
    assert "orphans deleted" not in result.counts


def test_other_bytes_begin_their_quarantine_anew(house: House) -> None:
    """Where other bytes lie at an orphan's location than before, they were not seen before."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)
    (cast("FilesystemStore", house.keeper.engine.store("warm"))._tree.root / where).write_bytes(b"longer than before")  # noqa: SLF001  where it lies
    reconcile(house)
    assert there(house, "warm", where)
    house.pass_time(QUARANTINE)
    reconcile(house)
    assert not there(house, "warm", where)


def placed(house: House, tier: str, location: str) -> None:
    """Give the bytes at a location a row: an intent, long given up."""
    house.sql(
        "INSERT INTO placements (id, blob_id, tier, location, state, token, lease_until)"
        " SELECT gen_random_uuid(), id, :tier, :location, 'copying', gen_random_uuid(), now() - interval '1 h'"
        " FROM blobs LIMIT 1",
        tier=tier,
        location=location,
    )


def test_an_orphan_that_has_a_row_is_kept(any_house: House) -> None:
    """What has a row again is no orphan, whatever its state: its quarantine is over and it is collect's."""
    any_house.store(content=CONTENT)
    where = late(any_house)
    reconcile(any_house)
    any_house.pass_time(QUARANTINE)
    placed(any_house, "warm", where)
    assert reconcile(any_house)[1] == []
    assert (there(any_house, "warm", where), quarantined(any_house)) == (True, 0)
    any_house.settle()
    assert not there(any_house, "warm", where)


def test_a_row_that_comes_before_the_delete_keeps_it(any_house: House) -> None:
    """Between the look and the delete each orphan is looked up afresh."""
    any_house.store(content=CONTENT)
    where = late(any_house)
    reconcile(any_house)
    any_house.pass_time(QUARANTINE)
    found: list[Finding] = []

    def see(finding: Finding) -> None:
        found.append(finding)
        placed(any_house, "warm", where)

    any_house.keeper.steer.reconcile(actor="tester", found=see)
    assert short(found) == [("warm", "orphan", "delete")]
    assert (there(any_house, "warm", where), quarantined(any_house)) == (True, 0)
    any_house.settle()


def test_orphans_beyond_one_page(any_house: House) -> None:
    """All pages of a listing are looked at, and what is there in thousands is deleted in thousands."""
    house = any_house
    store = house.keeper.engine.store("warm")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: late(house), range(1005)))
    limits = house.settings.reconcile.model_copy(update={"stop_share": 1.0})
    object.__setattr__(house.keeper.engine, "settings", house.settings.model_copy(update={"reconcile": limits}))
    result, found = reconcile(house)
    assert (len(found), result.held_back, len(result.findings)) == (1005, None, 20)
    house.pass_time(QUARANTINE)
    result, _ = reconcile(house)
    assert (result.counts["orphans deleted"], list(store.list())) == (1005, [])
    assert len(deleted_orphans(house)) == 1005


def test_what_is_not_tierkeepers_is_never_deleted(house: House) -> None:
    """A file that somebody else put into a tier is reported and left alone."""
    root = cast("FilesystemStore", house.keeper.engine.store("hot"))._tree.root  # noqa: SLF001  where it lies
    (root / "README.txt").write_text("mounted from nfs7")
    (root / "notes").mkdir()
    (root / "notes" / "1-not-an-id").write_text("x")
    for _ in range(3):
        result, found = reconcile(house)
        assert short(found) == [("hot", "foreign", "none")] * 2
        house.pass_time(QUARANTINE)
    assert (root / "README.txt").read_text() == "mounted from nfs7"
    assert (result.counts["foreign"], quarantined(house)) == (2, 0)
    (root / "README.txt").unlink()
    (root / "notes" / "1-not-an-id").unlink()


def test_a_second_version_of_a_key_is_an_orphan(open_house: OpenHouse, s3_endpoint: str) -> None:
    """On a versioned bucket a write that came twice leaves a version beside the placement's: that one goes alone."""
    house = open_house(tiers={"warm": {"url": f"s3://warm-bucket?endpoint={s3_endpoint}"}})
    store = cast("S3Store", house.keeper.engine.store("warm"))
    store.place.client.put_bucket_versioning(Bucket="warm-bucket", VersioningConfiguration={"Status": "Enabled"})
    house.store(content=CONTENT, age=WEEK)
    house.settle()
    _, key = copy_of(house, "warm")
    assert key.version is not None
    overwrite(house, "warm", CONTENT)
    _, found = reconcile(house)
    assert short(found) == [("warm", "orphan", "quarantine")]
    assert found[0].version not in {None, key.version}
    house.pass_time(QUARANTINE)
    result, _ = reconcile(house)
    assert result.counts["orphans deleted"] == 1
    assert [(o.location, o.version) for o in store.list()] == [(key.location, key.version)]
    assert house.read() == CONTENT
    assert reconcile(house)[1] == []


def test_deletes_that_are_switched_off(any_house: House) -> None:
    """While deletes are off orphans are found and kept, and the result says why; what can be repaired is."""
    where = late(any_house)
    reconcile(any_house)
    any_house.pass_time(QUARANTINE)
    any_house.sql("UPDATE switches SET value = 'false', reason = 'an audit' WHERE name = 'deletes_enabled'")
    result, found = reconcile(any_house)
    assert (short(found), there(any_house, "warm", where)) == ([("warm", "orphan", "delete")], True)
    assert "an audit" in str(result.held_back)
    any_house.sql("UPDATE switches SET value = 'true' WHERE name = 'deletes_enabled'")
    result, _ = reconcile(any_house)
    assert (result.held_back, there(any_house, "warm", where)) == (None, False)


def test_a_restored_catalog_only_quarantines(twice: House) -> None:
    """A catalog known to be an older copy of itself neither deletes an orphan nor takes a copy for damaged."""
    where = late(twice)
    reconcile(twice)
    twice.pass_time(QUARANTINE)
    drop(twice, "cold")

    def trust(word: str) -> None:
        twice.keeper.engine.catalog.run(
            lambda c: epochs.set_trust(
                c, word, by="tester", reason="it was put back", now=catalog_now(c), event="trust"
            )
        )

    trust(epochs.RESTORED)
    result, found = reconcile(twice)
    assert short(found) == [("cold", "missing", "repair"), ("warm", "orphan", "delete")]
    assert "it was put back" in str(result.held_back)
    assert there(twice, "warm", where)
    assert "damaged" not in twice.events()
    trust(epochs.TRUSTED)
    result, _ = reconcile(twice)
    assert (result.held_back, there(twice, "warm", where), "damaged" in twice.events()) == (None, False, True)
    twice.settle()


ACTS = [Step("tierkeeper.engine.reconcile_act", name) for name in ("mark", "delete", "forget")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ACTS, ids=str)
def test_a_crash_while_an_orphan_is_deleted(house: House, step: Step, when: When) -> None:
    """Wherever the process dies, the next reconciles end it: the bytes are gone, with exactly one event."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)
    with crashing.crashing(step, when), pytest.raises(crashing.Crash):
        reconcile(house)
    reconcile(house)
    assert (there(house, "warm", where), quarantined(house)) == (False, 0)
    assert [told["location"] for told in deleted_orphans(house)] == [where]


def test_the_parts_of_a_delete_are_there() -> None:
    """The crash test names functions that exist."""
    assert all(callable(getattr(reconcile_act, step.name)) for step in ACTS)


# -- missing and mismatched


def test_a_missing_copy_is_made_anew(twice: House) -> None:
    """A copy whose bytes are gone is found, and the next turn makes it anew from the other tier."""
    for tier in ("warm", "cold"):
        drop(twice, tier)
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
        assert twice.keeper.verify().counts == {"verified": 2}


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


def test_among_a_thousand_copies_the_missing_ones_are_found(house: House) -> None:
    """Copies are looked through page by page: the first, the last and one in the middle."""
    for page in range(2):
        args = [house.args(f"n{page}/{n}", b"%d %d" % (page, n), age=timedelta(days=40)) for n in range(600)]
        house.keeper.store_many(StoreManyArgs(items=args).items, call=house.call())
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
    with Seen(most=64) as seen:
        for each in reversed(ids):
            seen.add([each])
        assert list(seen.ordered()) == sorted(ids)


def test_a_lost_copy_is_said_aloud_until_it_is_back(any_house: House) -> None:
    """Without another copy the content is lost: every reconcile says so, one event does; its bytes back, it heals."""
    any_house.store(content=CONTENT, age=WEEK)
    any_house.settle()
    store, key = copy_of(any_house, "warm")
    drop(any_house, "warm")
    result, found = reconcile(any_house)
    assert short(found) == [("warm", "missing", "none")]
    assert (result.lost, found[0].lost, found[0].ref) == (1, True, any_house.show().ref)
    any_house.turn()
    result, found = reconcile(any_house)
    assert (result.lost, result.counts["known damaged"], "reported" in result.counts) == (1, 1, False)
    assert any_house.events().count("damaged") == 1
    (event,) = any_house.keeper.events(type="damaged")
    assert (event.after or {})["copies_left"] == 0
    if isinstance(store, S3Store):
        overwrite(any_house, "warm", CONTENT)
    else:
        path = cast("FilesystemStore", store)._tree.root / key.location  # noqa: SLF001  where it lay
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
    assert any_house.keeper.verify().counts == {"damaged": 1}
    result, found = reconcile(any_house)
    assert ("healed" in result.counts, [f.lost for f in found]) == (False, [True])
    overwrite(any_house, "warm", CONTENT)
    assert reconcile(any_house)[0].counts["healed"] == 1


# -- stopping itself


def many(house: House, number: int) -> list[str]:
    """Write so many orphans and let their quarantine pass."""
    found = [late(house) for _ in range(number)]
    house.keeper.steer.reconcile(actor="tester", dry_run=True)
    return found


def approve(house: House, result: ReconcileResult) -> None:
    """Approve what a reconcile asks for."""
    assert result.run is not None
    run = result.run
    house.keeper.engine.catalog.run(
        lambda c: runs.decide(c, run, RunState.APPROVED, approval={"by": "kim", "reason": "looked at"})
    )


def test_too_many_orphans_stop_it(any_house: House) -> None:
    """Above the limit nothing is deleted and a run awaits approval, one however often; approved, the next deletes."""
    house = any_house
    house.store(content=CONTENT)
    many(house, 11)
    stopped, found = reconcile(house)
    assert (len(found), stopped.state) == (11, RunState.AWAITING_APPROVAL)
    assert stopped.held_back == "too much differs to be true: in warm 11 of 11, where the limit is 10"
    house.pass_time(QUARANTINE)
    again, _ = reconcile(house)
    assert (again.run, again.state) == (stopped.run, RunState.AWAITING_APPROVAL)
    assert len(list(house.keeper.engine.store("warm").list())) == 11
    assert [e.subject for e in house.keeper.events(type="braked")] == [stopped.run]
    approve(house, stopped)
    done, _ = reconcile(house)
    assert (done.state, done.counts["orphans deleted"]) == (RunState.DONE, 11)
    assert list(house.keeper.engine.store("warm").list()) == []
    assert house.keeper.run(cast("Any", stopped.run)).state is RunState.DONE


def test_an_approval_is_for_what_was_seen(house: House) -> None:
    """More than was approved stops it again, and an approval serves one reconcile only."""
    many(house, 11)
    stopped, _ = reconcile(house)
    approve(house, stopped)
    many(house, 20)
    more, _ = reconcile(house)
    assert (more.state, more.held_back) == (
        RunState.AWAITING_APPROVAL,
        "too much differs to be true: in warm 31 of 31, where the limit is 21",
    )
    approve(house, more)
    assert reconcile(house)[0].state is RunState.DONE
    assert reconcile(house)[0].state is RunState.AWAITING_APPROVAL
    house.keeper.engine.store("warm").delete([ObjectKey(o.location) for o in house.keeper.engine.store("warm").list()])
    settled, _ = reconcile(house)
    assert settled.state is RunState.DONE
    (left,) = house.sql("SELECT count(*) AS n FROM runs WHERE state IN ('awaiting approval', 'approved')")
    assert left.n == 0


def test_a_tier_that_is_suddenly_empty_stops_it(any_house: House) -> None:
    """When everything seems to be gone, it is the tier: no copy is reported, and all is well when it is back."""
    house = any_house
    for number in range(11):
        house.store(f"n{number}", b"%d" % number, age=WEEK)
    house.settle()
    warm = house.keeper.engine.stores["warm"]
    other = house.keeper.engine.stores["cold"]
    cast("dict[str, Store]", house.keeper.engine.stores)["warm"] = other
    result, found = reconcile(house)
    assert (result.state, {f.kind for f in found}) == (RunState.AWAITING_APPROVAL, {FindingKind.MISSING})
    cast("dict[str, Store]", house.keeper.engine.stores)["warm"] = warm
    assert [row.n for row in house.sql("SELECT count(*) AS n FROM placements WHERE damaged_at IS NOT NULL")] == [0]
    result, found = reconcile(house)
    assert (result.state, found) == (RunState.DONE, [])
    house.settle()


def test_one_in_a_hundred_is_believed(house: House) -> None:
    """In a large tier it is the share that counts: of 1500 copies 15 may be wrong, not 16."""
    args = [house.args(f"{n}", b"%d" % n) for n in range(1000)]
    house.keeper.store_many(StoreManyArgs(items=args).items, call=house.call())
    args = [house.args(f"{n}", b"%d" % n) for n in range(1000, 1500)]
    house.keeper.store_many(StoreManyArgs(items=args).items, call=house.call())
    for _ in range(15):
        late(house, "hot")
    assert reconcile(house)[0].held_back is None
    late(house, "hot")
    assert reconcile(house)[0].state is RunState.AWAITING_APPROVAL
    house.reset()


def test_a_dry_run_changes_nothing(twice: House) -> None:
    """A dry run finds what a run finds, with what would be done, and leaves catalog and stores as they are."""
    late(twice)
    reconcile(twice)
    twice.pass_time(QUARANTINE)
    drop(twice, "cold")
    late(twice, "hot", b"another")
    before = snapshot(twice)
    result, found = reconcile(twice, dry_run=True)
    assert snapshot(twice) == before
    assert result.run is None
    assert short(found) == [
        ("cold", "missing", "repair"),
        ("hot", "orphan", "quarantine"),
        ("warm", "orphan", "delete"),
    ]
    assert short(reconcile(twice)[1]) == short(found)
    twice.pass_time(QUARANTINE)
    reconcile(twice)
    twice.settle()


def snapshot(house: House) -> list[Any]:
    """Everything that a reconcile could change."""
    tables = "quarantine", "runs", "placements", "schedule", "artifacts", "switches", "events"
    rows = [sorted(str(row) for row in house.sql(f"SELECT * FROM {table}")) for table in tables]  # noqa: S608  constants
    return [*rows, house.everything()]


# -- tiers that are away


def test_a_tier_that_is_away_is_reported(open_house: OpenHouse, s3_endpoint: str) -> None:
    """A tier that does not answer is reported and nothing is concluded from it; the others are done."""
    house = open_house(
        tiers={"warm": {"url": f"s3://warm-bucket?endpoint={s3_endpoint}", "options": {"attempts": "1"}}}
    )
    house.store("warmer", b"in warm", age=WEEK)
    house.store("colder", CONTENT, age=timedelta(days=40))
    house.settle()
    house.restore("colder")
    where = late(house, "cold")
    reconcile(house)
    house.pass_time(QUARANTINE)
    drop(house, "hot", "colder")
    place = cast("S3Store", house.keeper.engine.store("warm")).place
    (kept,) = [o.location for o in house.keeper.engine.store("warm").list()]
    place.client.delete_object(Bucket="warm-bucket", Key=place.key(kept))
    place.client.delete_bucket(Bucket="warm-bucket")
    result, found = reconcile(house)
    assert short(found) == [("cold", "orphan", "delete"), ("hot", "missing", "repair")]
    assert [(t.tier, "bucket" in str(t.away)) for t in result.tiers if t.away] == [("warm", True)]
    assert (result.errors, result.counts["tiers away"], there(house, "cold", where)) == (1, 1, False)
    assert "damaged" not in house.events("warmer")
    place.client.create_bucket(Bucket="warm-bucket")
    place.client.put_object(Bucket="warm-bucket", Key=place.key(kept), Body=b"in warm")
    house.settle()
    assert reconcile(house)[1] == []


def test_one_at_a_time(house: House) -> None:
    """A message that is delivered again while its reconcile is at work finds that it is."""
    assert house.keeper.steer.reconcile_at_work() is None
    seen = []
    late(house)
    house.keeper.steer.reconcile(actor="tester", found=lambda _: seen.append(house.keeper.steer.reconcile_at_work()))
    (run,) = house.keeper.runs(kind=RunKind.RECONCILE)
    assert seen == [run.id]
    assert house.keeper.steer.reconcile_at_work() is None
    house.keeper.engine.store("warm").delete([ObjectKey(o.location) for o in house.keeper.engine.store("warm").list()])
