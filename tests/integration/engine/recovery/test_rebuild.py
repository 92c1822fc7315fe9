"""The catalog is lost: it is made again from its dump and the stores, or from the stores alone."""

from datetime import timedelta
from pathlib import Path

import pytest
from support import broken, invariants
from support.callers import TESTER
from support.catalogs import Catalog, contents
from support.house import House
from support.missing import delete
from support.reconciling import QUARANTINE

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogInUse, CatalogRestored, DumpMissing, DumpUnusable
from tierkeeper.catalog import dumps
from tierkeeper.engine.recovery import accept, dump, dump_files, rebuild
from tierkeeper.values.artifacts import Filter

KEPT = """
name: kept
match: {workflow: reports, name: "kept/*"}
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}, {after: 30d, in: [cold]}, {after: 3650d, in: []}]
undo: 20d
"""

RECORDS = """
name: contracts
match: {workflow: contracts}
write: all
phases: [{after: 0d, in: [hot, cold]}, {after: 90d, in: [cold]}]
retention: {mode: compliance, for: P7Y, in: [cold]}
"""


def populate(house: House) -> None:
    """Fill the tiers: versions, shared content, a hold, a retention, what is deleted and what is purged."""
    house.policy(KEPT)
    for version in range(3):
        house.store("versions", b"version %d" % version, metadata={"n": version})
    house.store("kept/a", b"kept", age=timedelta(days=8))
    house.store("kept/b", b"kept", age=timedelta(days=40))
    house.store("held", b"held", age=timedelta(days=1), tags={"kind": "report"})
    house.turn()
    house.collect()
    house.hold("held")
    house.store("gone", b"gone for good")
    house.purge("gone")
    house.days_pass(8)
    house.turn()
    house.collect()
    house.store("deleted", b"can come back")
    house.purge("deleted")
    house.restore("kept/b")


def test_everything_comes_back(catalog: Catalog) -> None:
    """After the database is dropped, all is back: bytes, versions, tiers, holds, policies, states and their times."""
    with catalog() as house:
        populate(house)
        before = contents(house)
        views = {str(v.ref): v for v in house.keeper.artifacts.select(Filter(state=None, all_versions=True))}
        policies = [(p.name, p.version, p.yaml) for p in house.keeper.policies.known(all_versions=True)]
        events = len(list(house.keeper.events.select()))
        dump.dump(house.keeper.engine, caller=TESTER)
    with catalog() as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert result.counts == {}
        assert contents(house) == before
        for ref, view in views.items():
            back = house.keeper.artifacts.show(view.ref)
            for field in ("id", "state", "metadata", "tags", "policy", "wanted", "tiers", "purge_at", "retain_until"):
                assert getattr(back, field) == getattr(view, field), (ref, field)
        assert [(p.name, p.version, p.yaml) for p in house.keeper.policies.known(all_versions=True)] == policies
        assert [row.name for row in house.sql("SELECT name FROM holds WHERE released_at IS NULL")] == ["lawsuit"]
        assert len(list(house.keeper.events.select())) >= events
        invariants.check(house.keeper)
        house.undelete("deleted")
        assert house.read("deleted") == b"can come back"


def vouchers(house: House) -> list[str | None]:
    """Who vouches for the present copies."""
    return [row.vouched for row in house.sql("SELECT vouched FROM placements WHERE state = 'present' ORDER BY id")]


@pytest.mark.parametrize("before", [True, False])
def test_a_dump_of_the_release_before_vouches_for_nothing(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    """It has no word of who vouches for a copy: its copies are in doubt until they are read."""
    columns = dumps.columns
    with catalog() as house, monkeypatch.context() as patched:
        house.store("a", b"content")
        if before:
            patched.setattr(dumps, "columns", lambda table: [c for c in columns(table) if c not in {"vouched", "pin"}])
        dump.dump(house.keeper.engine, caller=TESTER)
    with catalog() as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert vouchers(house) == [None if before else "written"]
        house.keeper.sweeps.verify(caller=callers.BEAT)
        assert vouchers(house) == ["read" if before else "written"]


def test_nothing_is_deleted_until_it_is_accepted(catalog: Catalog) -> None:
    """A rebuilt catalog pauses the collect until somebody accepts it; then life goes on and everything settles."""
    with catalog() as house:
        populate(house)
        dump.dump(house.keeper.engine, caller=TESTER)
    with catalog() as house:
        engine = house.keeper.engine
        rebuild.rebuild(engine, caller=TESTER)
        house.days_pass(10)
        assert house.turn()["refused"] == 1  # what is deleted is not purged
        house.promote("versions", "cold")  # and what is doomed stays
        with pytest.raises(CatalogRestored, match="rebuilt from dump"):
            house.collect()
        accepted = accept.accept(engine, caller=TESTER, reason="it was lost")
        assert accepted.epoch == 4
        house.settle()
        assert accept.accept(engine, caller=TESTER, reason="again").reason is None


def test_what_is_newer_than_the_dump_comes_back_held(catalog: Catalog) -> None:
    """Artifacts stored after the dump come back with all that travelled with their bytes, under a hold."""
    with catalog() as house:
        house.store("old", b"old")
        dump.dump(house.keeper.engine, caller=TESTER)
        house.store("old", b"old, again", metadata={"n": 2}, content_type="text/markdown")
        house.store("new/er", b"newer", age=timedelta(days=3))
        house.promote("old", "cold", version=1)
        house.collect()
        created = house.show("new/er").created_at
    with catalog() as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert result.counts["artifacts found only in the stores"] == 2
        assert result.counts["copies taken over"] == 1
        assert contents(house) == {
            "acme/reports/old@1": b"old",
            "acme/reports/old@2": b"old, again",
            "acme/reports/new/er@1": b"newer",
        }
        assert house.tiers("old", 1) == {"cold"}
        newer = house.show("old", 2)
        assert (newer.metadata, newer.content_type) == ({"n": 2}, "text/markdown")
        assert house.show("new/er").created_at == created
        held = house.sql(
            "SELECT n.name, a.version FROM holds h JOIN artifacts a ON a.id = h.artifact_id JOIN names n ON n.id ="
            " a.name_id WHERE h.name = 'rebuilt' ORDER BY 1, 2"
        )
        assert [tuple(row) for row in held] == [("new/er", 1), ("old", 2)]
        accept.accept(house.keeper.engine, caller=TESTER, reason="it was lost")
        house.settle()
        assert house.store("old", b"third").ref.version == 3


def test_what_was_purged_stays_purged(catalog: Catalog) -> None:
    """Bytes that are left of what the dump knows to be purged are no artifact again, and are collected as before."""
    with catalog() as house:
        house.store("gone", b"gone for good")
        house.purge("gone")
        house.days_pass(8)
        house.turn()
        dump.dump(house.keeper.engine, caller=TESTER)
        assert any(place.startswith("hot/") for place in house.everything())
    with catalog() as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert contents(house) == {}
        assert house.show("gone").state.value == "purged"
        accept.accept(house.keeper.engine, caller=TESTER, reason="it was lost")
        house.settle()
        assert not any(place.startswith("hot/") for place in house.everything())


def test_from_the_objects_alone(catalog: Catalog) -> None:
    """Without any dump bytes and first names come back, held: nothing goes in years, until that is approved."""
    with catalog() as house:
        populate(house)
        before = contents(house)
    with catalog() as house:
        engine = house.keeper.engine
        with pytest.raises(DumpMissing, match="objects-only"):
            rebuild.rebuild(engine, caller=TESTER)
        preview = rebuild.rebuild(engine, caller=TESTER, objects_only=True, dry_run=True)
        result = rebuild.rebuild(engine, caller=TESTER, objects_only=True)
        assert preview.counts["only in the stores"] >= result.counts["artifacts found only in the stores"]
        back = contents(house)
        assert set(back.values()) == {*before.values(), b"can come back"}
        assert back.items() - {("acme/reports/deleted@1", b"can come back")} <= before.items()
        accept.accept(engine, caller=TESTER, reason="it was lost")
        house.days_pass(20 * 365)
        house.turn()
        house.collect()
        assert contents(house) == back
        invariants.check(house.keeper)
        list(accept.approve(engine.catalog, caller=TESTER, reason="looked through"))
        house.days_pass(1)
        house.turn()
        house.days_pass(30)
        house.settle()
        assert contents(house) == {}


def test_in_s3(catalog: Catalog, s3_endpoint: str) -> None:
    """In S3 too all comes back: retention and locks from the dump, what is newer from the objects' metadata."""
    tiers = {
        "warm": {"url": f"s3://warm-bucket/some/prefix?endpoint={s3_endpoint}"},
        "cold": {"url": f"s3://cold-bucket?endpoint={s3_endpoint}&lock=yes"},
    }
    with catalog(tiers) as house:
        house.policy(RECORDS)
        house.store("old", b"signed", workflow="contracts")
        dump.dump(house.keeper.engine, caller=TESTER)
        house.store("new", b"signed too", workflow="contracts", metadata={"by": "Zoë"})
        house.store("warm", b"w" * 1000, age=timedelta(days=8))
        house.turn()
        house.collect()
        before = contents(house)
        until = [row.retain_until for row in house.sql("SELECT retain_until FROM artifacts ORDER BY id")]
    with catalog(tiers) as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert result.counts["artifacts found only in the stores"] == 2
        assert result.counts["copies taken over"] == 1
        assert contents(house) == before
        assert [row.retain_until for row in house.sql("SELECT retain_until FROM artifacts ORDER BY id")] == until
        (new,) = house.keeper.artifacts.select(Filter(name="new"))
        assert (new.metadata, set(new.tiers)) == ({"by": "Zoë"}, {"hot", "cold"})
        accept.accept(house.keeper.engine, caller=TESTER, reason="it was lost")
        house.settle()


def test_a_look_of_the_catalog_before_is_none(catalog: Catalog, s3_endpoint: str) -> None:
    """A copy that a dump says was not found once is looked for twice from then on (R20)."""
    tiers = {"warm": {"url": f"s3://warm-bucket?endpoint={s3_endpoint}"}}
    with catalog(tiers) as house:
        house.store("a", b"once", age=timedelta(days=8))
        house.turn()
        house.sql("UPDATE placements SET missed_at = now() - interval '3 days' WHERE tier = 'warm'")
        dump.dump(house.keeper.engine, caller=TESTER)
        delete(house)
    with catalog(tiers) as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER)
        accept.accept(house.keeper.engine, caller=TESTER, reason="it was lost")
        house.keeper.sweeps.verify(caller=callers.BEAT)
        (copy,) = house.sql("SELECT missed_at, damaged_at FROM placements WHERE tier = 'warm'")
        assert (copy.missed_at is not None, copy.damaged_at) == (True, None)
        house.pass_time(QUARANTINE)
        house.settle()
        assert house.read("a") == b"once"


def test_a_database_tier_is_repaired_from_the_cold_one(catalog: Catalog) -> None:
    """What lay in the dropped database itself is missed, and made again from the cold tier."""
    with catalog() as house:
        house.policy(
            "name: rows\nmatch: {workflow: reports, name: '*.json'}\nwrite: all\n"
            "phases: [{after: 0d, in: [records, cold]}, {after: 90d, in: [cold]}]\n"
        )
        house.store("a.json", b'{"a": 1}', content_type="application/json")
        dump.dump(house.keeper.engine, caller=TESTER)
    with catalog() as house:
        result = rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert result.counts["missing"] == 1
        assert house.read("a.json") == b'{"a": 1}'
        accept.accept(house.keeper.engine, caller=TESTER, reason="it was lost")
        house.settle()
        assert house.tiers("a.json") == {"records", "cold"}


def test_copies_on_their_way_come_back_as_what_they_are(catalog: Catalog) -> None:
    """What was being written, or deleted, when the dump was made: the bytes that are there decide what it is now."""
    with catalog() as house:
        house.store("being written", b"w")
        house.store("being deleted", b"d")
        house.store("half deleted", b"h")
        for name in ("being deleted", "half deleted"):
            house.promote(name, "cold")
        house.sql(
            "UPDATE placements SET state = 'copying', token = id, lease_until = now(), stored_size = NULL"
            " WHERE blob_id = (SELECT blob_id FROM artifacts WHERE sha256 = sha256('w'))"
        )
        house.sql("UPDATE placements SET state = 'deleting', token = id, lease_until = now() WHERE state = 'doomed'")
        dump.dump(house.keeper.engine, caller=TESTER)
        (gone,) = (house.settings.home / "tiers" / "hot").rglob("half deleted/1-*[0-9a-f]")
        gone.unlink()
    with catalog() as house:
        engine = house.keeper.engine
        result = rebuild.rebuild(engine, caller=TESTER)
        assert result.counts == {"copies taken over": 1, "missing": 1, "reported": 1}
        assert contents(house) == {
            "acme/reports/being written@1": b"w",
            "acme/reports/being deleted@1": b"d",
            "acme/reports/half deleted@1": b"h",
        }
        states = house.sql("SELECT state, count(*) AS n FROM placements GROUP BY state ORDER BY state")
        assert [tuple(row) for row in states] == [("doomed", 2), ("present", 3)]
        accept.accept(engine, caller=TESTER, reason="it was lost")
        house.settle()


def test_an_event_that_committed_late_is_in_the_next_segment(catalog: Catalog) -> None:
    """An event whose time lies before a dump, and that committed after it, is exported by the next one."""
    with catalog() as house:
        house.store("a")
        dump.dump(house.keeper.engine, caller=TESTER)
        house.sql(
            "INSERT INTO events (subject, revision, at, type, actor)"
            " VALUES (gen_random_uuid(), 1, now() - interval '30 minutes', 'late', 'tester')"
        )
        dump.dump(house.keeper.engine, caller=TESTER)
        before = sorted((e.subject, e.revision, e.at) for e in house.keeper.events.select())
    with catalog() as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert {(e.subject, e.revision, e.at) for e in house.keeper.events.select()} >= set(before)
        assert [e.type for e in house.keeper.events.select(type="late")] == ["late"]
        months = house.sql("SELECT count(*) AS n FROM events_default")
        assert months[0].n == 0


def test_a_row_that_cannot_be_read_comes_back_as_it_was(catalog: Catalog) -> None:
    """What was written before there was a gate is dumped and loaded, listed, and mended then."""
    with catalog() as house:
        house.store("odd", b"odd")
        house.store("good", b"good")
        broken.write(house.keeper, "odd", "created_at = '0001-01-01 BC'")
        dump.dump(house.keeper.engine, caller=TESTER)
    with catalog() as house:
        rebuild.rebuild(house.keeper.engine, caller=TESTER)
        assert contents(house) == {"acme/reports/good@1": b"good", "acme/reports/odd@1": b"odd"}
        assert [each.ref.name for each in house.keeper.recovery.mend(caller=TESTER, reason="a test")] == ["odd"]


def test_only_an_empty_catalog_is_rebuilt(catalog: Catalog) -> None:
    """A catalog with anything in it is refused, and stays as it is."""
    with catalog() as house:
        house.store("a")
        dump.dump(house.keeper.engine, caller=TESTER)
        with pytest.raises(CatalogInUse, match="artifacts"):
            rebuild.rebuild(house.keeper.engine, caller=TESTER)
        invariants.check(house.keeper)


def test_a_broken_dump_leaves_the_catalog_empty(catalog: Catalog) -> None:
    """A dump with a changed byte or a damaged manifest is refused before anything is loaded; the one before is used."""
    with catalog() as house:
        house.store("a", b"a")
        for _ in range(2):
            dump.dump(house.keeper.engine, caller=TESTER)
        cold = Path(house.settings.home) / "tiers" / "cold"
    with catalog() as house:
        engine = house.keeper.engine
        newest, older = dump.listed(engine)
        (sealed,) = (cold / dump_files.FOLDER / newest.name).glob(f"manifest-{'?' * 64}.json")
        whole = sealed.read_bytes()
        sealed.write_bytes(whole.replace(b'"format": 1', b'"format": 7'))
        with pytest.raises(DumpUnusable, match="the bytes of its manifest"):
            rebuild.rebuild(engine, caller=TESTER)
        sealed.unlink()  # as in a dump of the release before
        manifest = cold / dump_files.located(newest.name, dump_files.MANIFEST)
        for damaged in (whole[:-10], b"[]", b"{}", b"[" * 100_000):
            manifest.write_bytes(damaged)
            with pytest.raises(DumpUnusable, match="its manifest cannot be read"):
                rebuild.rebuild(engine, caller=TESTER)
        sealed.write_bytes(whole)
        part = cold / dump_files.located(newest.name, "artifacts.copy.gz")
        part.write_bytes(part.read_bytes()[:-1] + b"?")
        with pytest.raises(DumpUnusable, match="artifacts"):
            rebuild.rebuild(engine, caller=TESTER)
        assert contents(house) == {}
        rebuild.rebuild(engine, caller=TESTER, dump=older.name)
        assert contents(house) == {"acme/reports/a@1": b"a"}


def test_an_interrupted_rebuild_goes_on(catalog: Catalog) -> None:
    """A rebuild that stopped in the comparison with the stores is finished by the same command."""
    with catalog() as house:
        house.store("a", b"a")
        dump.dump(house.keeper.engine, caller=TESTER)
        house.store("b", b"b")
    with catalog() as house:
        engine = house.keeper.engine

        def break_off(_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            rebuild.rebuild(engine, caller=TESTER, found=break_off)
        with pytest.raises(CatalogRestored, match="being rebuilt"):
            accept.accept(engine, caller=TESTER, reason="too early")
        rebuild.rebuild(engine, caller=TESTER)
        assert contents(house) == {"acme/reports/a@1": b"a", "acme/reports/b@1": b"b"}
        accept.accept(engine, caller=TESTER, reason="it was lost")
        house.settle()
