"""Orphans: bytes without a placement, deleted only when they were seen twice, and by whom nothing else is hurt."""

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import cast

import pytest
from support import crashing
from support.callers import TESTER
from support.crashing import Step, When
from support.house import House, OpenHouse
from support.locking import locked
from support.reconciling import (
    CONTENT,
    QUARANTINE,
    WEEK,
    copy_of,
    deleted_orphans,
    drop,
    late,
    overwrite,
    quarantined,
    reconcile,
    short,
    there,
    write,
)

from tierkeeper.audit.catalog import RestoreRecognised
from tierkeeper.base import clock
from tierkeeper.catalog import epochs
from tierkeeper.catalog.database import catalog_now
from tierkeeper.stores.base import ObjectKey
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.s3.store import S3Store
from tierkeeper.values.findings import Finding


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
    (cast("FilesystemStore", house.keeper.engine.store("warm"))._tree.root / where).write_bytes(b"longer than before")
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

    any_house.keeper.sweeps.reconcile(caller=TESTER, found=see)
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
    root = cast("FilesystemStore", house.keeper.engine.store("hot"))._tree.root
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


@pytest.mark.parametrize("name", [b"caf\xe9.txt", b"1-01a1fd9a-2a0d-744e-8677-92c5ea4531b8\xff"])
def test_a_name_that_is_no_text_stops_nothing(house: House, name: bytes) -> None:
    """A file whose name the catalog could not even hold is told, and the rest is looked at."""
    root = cast("FilesystemStore", house.keeper.engine.store("hot"))._tree.root
    path = os.path.join(os.fsencode(root), name)  # noqa: PTH118  no Path takes bytes
    with open(path, "wb") as file:  # noqa: PTH123  as above
        file.write(b"x")
    where = late(house, "hot")
    result, found = reconcile(house)
    assert short(found) == [("hot", "foreign", "none"), ("hot", "orphan", "quarantine")]
    assert result.held_back is None
    assert r"\x" in next(f.location for f in found if f.kind.value == "foreign")
    os.unlink(path)  # noqa: PTH108  as above
    house.keeper.engine.store("hot").delete([ObjectKey(where)])


def test_bytes_that_the_catalog_never_knew_are_never_deleted(any_house: House) -> None:
    """An object in tierkeeper's form without any trace in the catalog tells of a catalog that is too old."""
    where = late(any_house)
    any_house.sql("ALTER TABLE events DISABLE TRIGGER ALL")
    any_house.sql("DELETE FROM events WHERE type = 'collected'")
    any_house.sql("ALTER TABLE events ENABLE TRIGGER ALL")
    for _ in range(3):
        result, found = reconcile(any_house)
        assert (short(found), quarantined(any_house)) == ([("warm", "stranger", "none")], 0)
        assert "never knew" in str(result.held_back)
        any_house.pass_time(QUARANTINE)
    assert there(any_house, "warm", where)
    any_house.keeper.engine.store("warm").delete([ObjectKey(where)])


@pytest.mark.parametrize("below", ["", "theirs/", "acme.bak/"])
def test_what_is_not_where_tierkeeper_puts_it_stops_nothing(any_house: House, below: str) -> None:
    """A file put in by hand, or another installation below a prefix of its own, is told; collect goes on."""
    where = write(any_house, "warm", below=below, bare=not below)
    any_house.store()
    any_house.purge()
    any_house.days_pass(8)
    any_house.turn()
    for _ in range(2):
        result, found = reconcile(any_house)
        assert (short(found), result.held_back) == ([("warm", "foreign", "none")], None)
        any_house.pass_time(QUARANTINE)
    assert any_house.collect().counts["collected"] == 1
    assert there(any_house, "warm", where)
    any_house.keeper.engine.store("warm").delete([ObjectKey(where)])


@pytest.mark.parametrize("place", [("warm", "theirs/"), ("cold", "")])
def test_somebodys_copy_of_what_is_gone_here_is_kept(any_house: House, place: tuple[str, str]) -> None:
    """Only where its own copy lay does tierkeeper delete: not what has the name of one elsewhere, in another's folder.

    A clone of the catalog knows each copy of its original, and collects its own.
    """
    gone = late(any_house)
    tier, below = place
    store, other = any_house.keeper.engine.store("warm"), any_house.keeper.engine.store(tier)
    about = store.describe(ObjectKey(gone))
    assert about is not None
    theirs = other.put(below + gone, io.BytesIO(b"nobody knows"), about).location
    for _ in range(3):
        _, found = reconcile(any_house)
        assert (tier, "foreign", "none") in short(found)
        any_house.pass_time(QUARANTINE)
    assert (there(any_house, "warm", gone), there(any_house, tier, theirs)) == (False, True)
    other.delete([ObjectKey(theirs)])


def test_somebodys_copy_of_what_is_here_stops_nothing(any_house: House) -> None:
    """A copy that somebody made of a tier, into another tier, is of what the catalog knows."""
    any_house.store(content=CONTENT, age=WEEK)
    any_house.settle()
    store, key = copy_of(any_house, "warm")
    about = store.describe(key)
    assert about is not None
    cold = any_house.keeper.engine.store("cold")
    cold.put(key.location, io.BytesIO(CONTENT), about)
    result, found = reconcile(any_house)
    assert (short(found), result.held_back) == ([("cold", "foreign", "none")], None)
    cold.delete([ObjectKey(key.location)])


@pytest.mark.parametrize("tier", ["hot", "warm", "records"])
def test_what_only_another_catalog_can_have_written(house: House, tier: str) -> None:
    """In every kind of tier, what describes itself and lies where such a copy is put tells of a later catalog."""
    where = write(house, tier, b'{"of": "the lost hour"}')
    result, found = reconcile(house)
    assert (short(found), "never knew" in str(result.held_back)) == ([(tier, "stranger", "none")], True)
    house.keeper.engine.store(tier).delete([ObjectKey(where)])


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
            TESTER,
            lambda c: epochs.set_trust(
                c, word, by="tester", reason="it was put back", now=catalog_now(c), event=RestoreRecognised
            ),
        )

    trust(epochs.RESTORED)
    result, found = reconcile(twice)
    bound = twice.keeper.engine.store("cold").bound
    action, event = ("repair", "damaged") if bound else ("quarantine", "not found")
    assert short(found) == [("cold", "missing", action), ("warm", "orphan", "delete")]
    assert "it was put back" in str(result.held_back)
    assert there(twice, "warm", where)
    assert event not in twice.events()
    trust(epochs.TRUSTED)
    result, _ = reconcile(twice)
    assert (result.held_back, there(twice, "warm", where), event in twice.events()) == (None, False, True)
    twice.pass_time(QUARANTINE)
    twice.settle()


STEPS = [step for step in crashing.steps() if step.part == "orphans"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=str)
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


def meanwhile(step: str, act: Callable[[], object]) -> AbstractContextManager[None]:
    """Let something happen right before a step of the deletion."""

    def wrap(original: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object, **kwargs: object) -> object:
            act()
            return original(*args, **kwargs)

        return wrapper

    (found,) = [each for each in STEPS if each.name == step]
    return crashing.wrapped(found, wrap)


AGAIN = {
    "it is seen for the first time": "UPDATE quarantine SET first_seen = now()",
    "it is not seen again": "UPDATE quarantine SET seen_again = NULL",
    "it was seen again before this comparison": "UPDATE quarantine SET seen_again = first_seen",
}


@pytest.mark.parametrize("statement", AGAIN.values(), ids=AGAIN)
def test_an_orphan_whose_quarantine_began_again_is_kept(house: House, statement: str) -> None:
    """What was picked and is no longer ripe when its row is locked is left as it is, and deleted when it is."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)
    with meanwhile("step_2_mark", lambda: house.sql(statement)):
        result, found = reconcile(house)
    assert short(found) == [("warm", "orphan", "delete")]
    assert (there(house, "warm", where), quarantined(house), deleted_orphans(house)) == (True, 1, [])
    assert "orphans deleted" not in result.counts
    house.pass_time(QUARANTINE)
    reconcile(house)
    assert (there(house, "warm", where), quarantined(house)) == (False, 0)


def test_a_clock_that_is_put_back_meanwhile_deletes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clocks are read again when the row is locked: by one of them the quarantine is not over any more."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)

    def put_back() -> None:
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) - QUARANTINE)

    with meanwhile("step_2_mark", put_back):
        reconcile(house)
    assert (there(house, "warm", where), quarantined(house)) == (True, 1)
    monkeypatch.undo()
    reconcile(house)
    assert (there(house, "warm", where), quarantined(house)) == (False, 0)


def test_an_orphan_is_seen_again_after_its_quarantine(house: House) -> None:
    """A comparison that began before the end of a quarantine deletes nothing, however long its deletes wait."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)
    ended = "UPDATE quarantine SET first_seen = now() - CAST(:length AS interval) - interval '1 microsecond'"
    length = house.settings.reconcile.quarantine
    with meanwhile("step_2_mark", lambda: house.sql(ended, length=length)):
        reconcile(house)
    assert (there(house, "warm", where), quarantined(house)) == (True, 1)
    reconcile(house)
    assert (there(house, "warm", where), quarantined(house)) == (False, 0)


def test_what_is_decided_while_a_delete_waits_counts(house: House) -> None:
    """A reconcile that waits for an orphan's row asks afterwards: deletes are off by then, and the orphan stays."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)
    with locked(house, "SELECT") as held, ThreadPoolExecutor() as threads:
        with meanwhile("step_2_mark", lambda: held.take("SELECT FROM quarantine FOR UPDATE")):
            future = threads.submit(reconcile, house)
            held.wait_for(future)
        house.keeper.deletes.switch(enabled=False, caller=TESTER, reason="an audit")
        held.release()
        result, _ = future.result()
    assert "an audit" in str(result.held_back)
    assert there(house, "warm", where)
    house.keeper.deletes.switch(enabled=True, caller=TESTER, reason="it is over")
    reconcile(house)
    assert not there(house, "warm", where)


def test_a_deletion_is_told_though_its_row_began_again(house: House) -> None:
    """Other bytes that are seen after the delete and before its end leave the event as it was decided."""
    where = late(house)
    reconcile(house)
    house.pass_time(QUARANTINE)
    statement = "UPDATE quarantine SET size = 1, first_seen = now(), deleting_at = NULL"
    with meanwhile("step_4_forget", lambda: house.sql(statement)):
        reconcile(house)
    assert [(told["location"], told["size"]) for told in deleted_orphans(house)] == [(where, 12)]
