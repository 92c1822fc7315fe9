"""The catalog is restored to an hour ago: recognised, harmless until accepted, and then nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support import invariants, services
from support.callers import TESTER
from support.house import AT_ONCE, LEASES_END, TENANT, House

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogRestored
from tierkeeper.base.ids import new_id
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.engine.reconcile import reconcile
from tierkeeper.engine.recovery import accept
from tierkeeper.engine.trust import epoch
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import Filter
from tierkeeper_client.contract import PurgeArgs, UndeleteArgs

POLICY = """
name: quick
match: {workflow: reports}
phases: [{after: 0d, in: [hot]}, {after: 3650d, in: []}]
undo: 0d
"""
HOME_AGAIN = (
    "UPDATE switches SET value = jsonb_set(value, '{server,database}',"
    " to_jsonb((SELECT oid::bigint FROM pg_database WHERE datname = current_database()))) WHERE name = 'epoch'"
)

Restored = Callable[[House], AbstractContextManager[House]]


@pytest.fixture
def house(tmp_path: Path, settings_factory: Callable[..., Settings]) -> Iterator[House]:
    """A house whose catalog is given up before the test ends: its invariants are not asked then."""
    tiers = {
        "records": {"url": (tmp_path / "records").as_uri()},  # the catalog's server goes back in time, no tier does
        "warm": {"options": {"layout": "cas"}},
        "cold": {"options": {"layout": "cas"}},
    }
    settings = settings_factory(engine=AT_ONCE, tiers=tiers)
    with Keeper.open(settings) as keeper:
        keeper.init(caller=callers.INIT)
        house = House(keeper, settings)
        house.policy(POLICY)
        yield house


@pytest.fixture
def backup(postgres_server: Postgres) -> Callable[[House], AbstractContextManager[str]]:
    """Copies a house's catalog as it is now; gives the URL of the copy."""

    @contextmanager
    def copied(house: House) -> Iterator[str]:
        house.keeper.engine.catalog.close()
        name = str(house.settings.catalog.url).split("?")[0].rpartition("/")[2]
        with services.fresh_database(postgres_server, template=name) as url:
            yield url

    return copied


@contextmanager
def opened(house: House, url: str, *, same_place: bool) -> Iterator[House]:
    """The same house on a copy of its catalog; ``same_place``: PostgreSQL was restored where it was."""
    settings = house.settings.replaced({"catalog.url": url}, source="the test")
    with Keeper.open(settings) as keeper:
        restored = House(keeper, settings)
        if same_place:
            restored.sql(HOME_AGAIN)
        yield restored
        invariants.check(keeper)


def an_hour_of_work(house: House) -> None:
    """Store, move with its old copy collected, purge for good; then reconcile."""
    house.store("of the hour", b"stored in the lost hour")
    house.store("again", b"second")
    house.promote("moved", "cold")
    house.purge("purged")
    house.turn()
    house.collect()
    assert house.tiers("moved") == {"cold"}
    assert not reconcile.reconcile(house.keeper.engine, caller=TESTER).held_back


@pytest.mark.parametrize("same_place", [True, False])
def test_a_restored_catalog(
    house: House, backup: Callable[[House], AbstractContextManager[str]], *, same_place: bool
) -> None:
    """An hour's stores, moves and purges are not in the restored catalog; nothing of them is lost on the way back."""
    for name in ("moved", "again", "purged", "stays"):
        house.store(name, name.encode())
    house.promote("stays", "warm")  # its copy in hot is doomed: there is always something to collect
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        an_hour_of_work(house)
        before = house.everything()
        with opened(house, url, same_place=same_place) as restored:
            engine = restored.keeper.engine
            for _ in range(3):  # days go by, and nobody looks
                result = reconcile.reconcile(engine, caller=TESTER)
                assert result.held_back
                with pytest.raises(CatalogRestored):
                    restored.collect()
                restored.days_pass(2)
            assert set(before) <= set(restored.everything())
            accepted = accept.accept(engine, caller=TESTER, reason="the disk died")
            assert accepted.counts["artifacts found only in the stores"] == 2
            assert accepted.counts["copies taken over"] == 1
            assert accepted.counts["missing"] == 3
            assert restored.read("of the hour") == b"stored in the lost hour"
            assert [restored.read("again", version) for version in (1, 2)] == [b"again", b"second"]
            assert (restored.read("moved"), restored.tiers("moved")) == (b"moved", {"cold"})
            assert restored.read("stays") == b"stays"
            restored.purge("purged")  # it was, in the lost hour: its bytes are gone
            for _ in range(3):
                assert not reconcile.reconcile(engine, caller=TESTER).held_back
                restored.days_pass(2)
                restored.settle()
            kept = {str(view.ref) for view in restored.keeper.artifacts.select(Filter(all_versions=True))}
            assert kept == {
                f"acme/reports/{name}" for name in ("moved@1", "again@1", "again@2", "stays@1", "of the hour@1")
            }


def test_a_restore_that_the_epoch_cannot_tell(
    house: House, backup: Callable[[House], AbstractContextManager[str]]
) -> None:
    """Restored in place, between two reconciles: bytes that the catalog never knew of tell it, and are not deleted."""
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        house.store("of the hour", b"stored in the lost hour")
        with opened(house, url, same_place=True) as restored:
            engine = restored.keeper.engine
            assert epoch.check(engine, caller=callers.BEAT) is None
            found = reconcile.reconcile(engine, caller=TESTER, dry_run=True)
            assert [(f.kind.value, f.action.value) for f in found.findings] == [("stranger", "none")]
            assert epoch.check(engine, caller=callers.BEAT) is None  # a dry run notes nothing
            for _ in range(3):
                assert "never knew" in str(reconcile.reconcile(engine, caller=TESTER).held_back)
                restored.days_pass(2)
            assert "1 in hot" in str(epoch.check(engine, caller=callers.BEAT))
            accept.accept(engine, caller=TESTER, reason="the disk died")
            assert restored.read("of the hour") == b"stored in the lost hour"
            assert not reconcile.reconcile(engine, caller=TESTER).held_back


def test_what_cannot_be_taken_over_is_left_aside(
    house: House, backup: Callable[[House], AbstractContextManager[str]]
) -> None:
    """Unknown bytes that are not what they say stay where they are for good, and do not hold up the rest."""
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        house.store("spoilt", b"stored in the lost hour")
        (path,) = (house.settings.home / "tiers" / "hot").rglob("spoilt/1-*[0-9a-f]")
        path.write_bytes(b"?" * path.stat().st_size)
        with opened(house, url, same_place=True) as restored:
            engine = restored.keeper.engine
            assert reconcile.reconcile(engine, caller=TESTER).held_back
            accepted = accept.accept(engine, caller=TESTER, reason="the disk died")
            assert accepted.counts == {"damaged, not taken over": 1}
            for _ in range(3):
                found = reconcile.reconcile(engine, caller=TESTER)
                assert [f.kind.value for f in found.findings] == ["foreign"]
                assert not found.held_back
                restored.days_pass(2)
            assert path.exists()
            path.unlink()  # or the invariants would miss its row


def test_what_was_undeleted_meanwhile_is_not_purged(
    house: House, backup: Callable[[House], AbstractContextManager[str]]
) -> None:
    """A catalog that is not trusted purges nothing for good, however long ago it should have: it can be undeleted."""
    house.policy(POLICY.replace("quick", "slow").replace("reports", "slow").replace("undo: 0d", "undo: 1d"))
    for name in ("rescued", "gone"):
        house.keeper.artifacts.store(house.args(name, name.encode(), workflow="slow"), caller=TESTER)
        house.keeper.artifacts.purge(PurgeArgs(tenant=TENANT, workflow="slow", name=name), caller=TESTER)
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        house.keeper.artifacts.undelete(UndeleteArgs(tenant=TENANT, workflow="slow", name="rescued"), caller=TESTER)
        epoch.advance(house.keeper.engine, caller=callers.BEAT)
        with opened(house, url, same_place=True) as restored:
            engine = restored.keeper.engine
            assert epoch.check(engine, caller=callers.BEAT) is not None
            restored.days_pass(3)
            assert restored.turn() == {"refused": 2}
            restored.keeper.artifacts.undelete(
                UndeleteArgs(tenant=TENANT, workflow="slow", name="rescued"), caller=TESTER
            )
            accept.accept(engine, caller=TESTER, reason="the disk died")
            restored.days_pass(1)
            restored.settle()
            states = {view.ref.name: view.state.value for view in restored.keeper.artifacts.select(Filter(state=None))}
            assert states == {"rescued": "live", "gone": "purged"}


def test_an_intent_that_was_committed_meanwhile_is_no_stale_one(
    house: House, backup: Callable[[House], AbstractContextManager[str]]
) -> None:
    """A copy that was being written when the backup was made may be the only one by now: its bytes are taken over."""
    house.store("a", b"on its way to cold")
    house.promote("a", "cold")
    house.sql("UPDATE placements SET state = 'present', doomed_at = NULL, delete_after = NULL WHERE tier = 'hot'")
    sizes = house.sql("SELECT stored_size AS n FROM placements WHERE tier = 'cold'")
    house.sql(
        "UPDATE placements SET state = 'copying', token = id, lease_until = now() + interval '2 s', stored_size = NULL"
        " WHERE tier = 'cold'"
    )
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        house.sql("UPDATE placements SET state = 'present', stored_size = :n WHERE tier = 'cold'", n=sizes[0].n)
        house.sql("UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now() WHERE tier = 'hot'")
        house.collect()
        assert house.tiers("a") == {"cold"}
        epoch.advance(house.keeper.engine, caller=callers.BEAT)
        with opened(house, url, same_place=True) as restored:
            engine = restored.keeper.engine
            accepted = accept.accept(engine, caller=TESTER, reason="the disk died")
            assert accepted.counts == {"copies taken over": 1, "missing": 1, "reported": 1}
            restored.pass_time(LEASES_END)
            restored.collect()
            assert restored.read("a") == b"on its way to cold"
            restored.settle()


def test_an_intent_that_came_to_nothing_is_known(
    house: House, backup: Callable[[House], AbstractContextManager[str]]
) -> None:
    """The bytes of an intent that came with the backup, written after it was accepted, are an orphan like any other."""
    house.store("a", b"stays")
    copy = house.sql("SELECT blob_id FROM placements")[0].blob_id
    place = f"late/1-{new_id()}"
    house.sql(
        "INSERT INTO placements (id, blob_id, tier, location, state, token, lease_until) VALUES"
        " (:id, :blob, 'warm', :place, 'copying', :id, now())",
        id=place[-36:],
        blob=copy,
        place=place,
    )
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        epoch.advance(house.keeper.engine, caller=callers.BEAT)
        with opened(house, url, same_place=True) as restored:
            engine = restored.keeper.engine
            accept.accept(engine, caller=TESTER, reason="the disk died")
            path = house.settings.home / "tiers" / "warm" / place
            path.parent.mkdir(parents=True)
            path.write_bytes(b"late")
            found = reconcile.reconcile(engine, caller=TESTER)
            assert [(f.kind.value, found.held_back) for f in found.findings] == [("orphan", None)]
            path.unlink()
            restored.settle()


def test_a_rescued_copy_is_not_collected(house: House, backup: Callable[[House], AbstractContextManager[str]]) -> None:
    """A copy that the restored catalog holds for doomed may be the only one: it is kept until all is there."""
    house.store("a", b"back and forth")
    house.promote("a", "cold")
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:  # hot is doomed, cold present
        house.promote("a", "hot")
        house.collect()
        assert house.tiers("a") == {"hot"}
        epoch.advance(house.keeper.engine, caller=callers.BEAT)
        with opened(house, url, same_place=True) as restored:
            assert epoch.check(restored.keeper.engine, caller=callers.BEAT) is not None
            accept.accept(restored.keeper.engine, caller=TESTER, reason="the disk died")
            restored.collect()
            assert restored.read("a") == b"back and forth"
            restored.settle()


def test_a_version_given_out_twice(house: House, backup: Callable[[House], AbstractContextManager[str]]) -> None:
    """Both that the lost hour and the restored catalog called version 2 are kept: the lost one gets the next number."""
    house.store("a", b"first")
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        house.store("a", b"second, in the lost hour")
        epoch.advance(house.keeper.engine, caller=callers.BEAT)
        with opened(house, url, same_place=True) as restored:
            restored.store("a", b"second, after it")
            accept.accept(restored.keeper.engine, caller=TESTER, reason="the disk died")
            versions = [restored.read("a", version) for version in (1, 2, 3)]
            assert versions == [b"first", b"second, after it", b"second, in the lost hour"]
            restored.settle()


def test_a_dry_run_accepts_nothing(house: House, backup: Callable[[House], AbstractContextManager[str]]) -> None:
    """A dry run says what would be taken over, and changes neither the catalog nor the tiers."""
    assert epoch.advance(house.keeper.engine, caller=callers.BEAT) is None
    with backup(house) as url:
        house.store("of the hour")
        epoch.advance(house.keeper.engine, caller=callers.BEAT)
        with opened(house, url, same_place=True) as restored:
            engine = restored.keeper.engine
            accepted = accept.accept(engine, caller=TESTER, reason="", dry_run=True)
            assert "epoch 3" in str(accepted.reason)
            assert accepted.counts["artifacts found only in the stores"] == 1
            assert list(restored.keeper.artifacts.select(Filter())) == []
            assert epoch.check(engine, caller=callers.BEAT) is not None
            accept.accept(engine, caller=TESTER, reason="the disk died")
