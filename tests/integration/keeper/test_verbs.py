"""promote, archive, restore, purge, undelete through the keeper."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from support.callers import TESTER
from support.house import TENANT, WORKFLOW, House, OpenHouse

from tierkeeper.base.errors import (
    AlreadyThere,
    ArtifactDeleted,
    ArtifactNotFound,
    ArtifactPurged,
    CommandConflict,
    NotDeleted,
    TooManyVersions,
    UnknownTier,
)
from tierkeeper.base.states import Outcome
from tierkeeper.engine.verbs import verbs
from tierkeeper_client.contract import PromoteArgs, PurgeArgs


@pytest.mark.parametrize("kind", ["house", "s3_house"])
def test_promote_goes_both_ways(kind: str, request: pytest.FixtureRequest) -> None:
    """A promote moves to a colder or a hotter tier, until the next phase begins."""
    house: House = request.getfixturevalue(kind)
    house.store()
    assert house.promote("a", "cold")[0].present == ("cold",)
    assert house.promote("a", "hot")[0].present == ("hot",)
    assert house.promote("a", "cold")[0].present == ("cold",)
    house.settle()
    assert house.read() == b"content"
    house.days_pass(7.1)
    house.settle()
    assert house.tiers() == {"warm"}


def test_promote_to_where_it_is(house: House) -> None:
    """A promote to the only tier it is in is refused, and leaves no event; with all versions it is nothing to do."""
    house.store()
    with pytest.raises(AlreadyThere):
        house.promote("a", "hot")
    assert house.promote("a", "hot", all_versions=True)[0].outcome is Outcome.NOTHING
    assert house.events() == ["stored"]


def test_what_is_not_there_is_refused(house: House) -> None:
    """Unknown artifacts, versions and tiers are errors that name them."""
    house.store()
    with pytest.raises(UnknownTier, match="hot, records, warm, cold"):
        house.promote("a", "lukewarm")
    with pytest.raises(ArtifactNotFound):
        house.promote("b", "warm")
    with pytest.raises(ArtifactNotFound):
        house.purge("a", version=2)


def test_archive_is_for_good(house: House) -> None:
    """An archived artifact stays in the coldest tier through the phases, and is purged at its age all the same."""
    house.store()
    house.archive()
    assert house.tiers() == {"cold"}
    assert house.archive()[0].outcome is Outcome.NOTHING
    house.days_pass(8)
    house.settle()
    assert house.tiers() == {"cold"}
    house.days_pass(83)
    house.turn()
    assert house.show().state == "deleted"


def test_restore_for_some_days(house: House) -> None:
    """A restore adds a hot copy until its end; then the artifact is where its age wants it."""
    house.store(age=timedelta(days=40))
    house.settle()
    result = house.restore("a", days=3)[0]
    assert (result.present, set(result.wanted)) == (("hot", "cold"), {"hot", "cold"})
    house.settle()
    house.days_pass(2.9)
    house.settle()
    assert house.tiers() == {"hot", "cold"}
    house.days_pass(0.2)
    house.settle()
    assert house.tiers() == {"cold"}


def test_an_archive_lasts_beneath_a_restore(house: House) -> None:
    """A restore of an archived artifact adds a hot copy; when it ends, the artifact is in the archive again."""
    house.store()
    house.archive()
    house.restore("a", days=1)
    house.settle()
    assert house.tiers() == {"hot", "cold"}
    house.days_pass(1.1)
    house.settle()
    assert house.tiers() == {"cold"}
    assert house.events() == ["stored", "archived", "moved", "restored", "moved", "moved"]


def test_a_purge_can_be_undone(house: House) -> None:
    """Within the undo window a purge is undone; no policy deletes the artifact for thirty days after that."""
    house.store(age=timedelta(days=88))
    house.settle()
    house.purge(reason="a mistake")
    house.days_pass(6)
    house.settle()
    with pytest.raises(ArtifactDeleted):
        house.restore()
    assert house.undelete()[0].state == "live"
    assert house.tiers() == {"cold"}
    house.days_pass(20)
    house.settle()
    assert house.show().state == "live"
    house.days_pass(11)
    house.turn()
    assert house.show().state == "deleted"


def test_a_purge_without_an_undo_window_is_at_once(house: House) -> None:
    """Where the policy's undo window is nothing, a purge ends with the artifact purged and, collected, gone."""
    house.policy("name: now\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 0d")
    house.store()
    house.purge()
    assert house.show().state == "purged"
    with pytest.raises(ArtifactPurged):
        house.undelete()
    house.settle()
    assert house.everything() == []
    assert house.events() == ["stored", "deleted", "purged", "destroyed"]


def test_undelete_of_what_lives(house: House) -> None:
    """There is nothing to undelete of a live artifact."""
    house.store()
    with pytest.raises(NotDeleted):
        house.undelete()


def test_all_versions_at_once(house: House) -> None:
    """A verb of all versions reports each; those that have nothing to do say so."""
    for number in range(3):
        house.store("a", b"v%d" % number)
    house.purge("a", version=2)
    results = house.purge("a", all_versions=True)
    assert {r.ref.version: r.outcome for r in results} == {3: Outcome.DONE, 2: Outcome.NOTHING, 1: Outcome.DONE}
    assert len(house.undelete("a", all_versions=True)) == 3
    house.settle()


def test_too_many_versions_for_one_verb(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb of more versions than one transaction should change is refused as a whole; purged ones do not count."""
    monkeypatch.setattr(verbs, "MOST", 2)
    for number in range(3):
        house.store("a", b"v%d" % number)
    args = PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name="a", all_versions=True)
    for dry_run in (True, False):
        with pytest.raises(TooManyVersions, match="more than 2 versions"):
            house.keeper.artifacts.purge(args, caller=TESTER, dry_run=dry_run)
    assert {house.show("a", version).state.value for version in (1, 2, 3)} == {"live"}
    house.purge("a", version=1)
    house.days_pass(8)
    house.settle()
    assert {r.ref.version for r in house.promote("a", "cold", all_versions=True)} == {2, 3}


def test_a_dry_run_changes_nothing(house: House) -> None:
    """A dry run tells what the verb would do, and nothing is different after it."""
    house.store()
    before = house.show(), house.events()
    args = PurgeArgs(tenant=TENANT, workflow=WORKFLOW, name="a")
    (result,) = house.keeper.artifacts.purge(args, caller=TESTER, dry_run=True)
    assert result.dry_run
    assert result.purge_at is not None
    assert result.purge_at > datetime.now(UTC) + timedelta(days=6)
    assert (house.show(), house.events()) == before


def test_a_verb_delivered_many_times_at_once_has_one_effect(open_house: OpenHouse) -> None:
    """One message in many workers at once: one event, one result for all of them."""
    house = open_house()
    house.store()
    caller = TESTER.keyed()
    args = PromoteArgs(tenant=TENANT, workflow=WORKFLOW, name="a", to_tier="cold")
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda _: house.keeper.artifacts.promote(args, caller=caller), range(12)))
    assert {r[0].detail for r in results} == {results[0][0].detail}
    assert house.events().count("promoted") == 1
    with pytest.raises(CommandConflict):
        house.keeper.artifacts.promote(args.model_copy(update={"to_tier": "warm"}), caller=caller)
    house.settle()


def test_verbs_and_sweeps_at_once(open_house: OpenHouse) -> None:
    """Verbs on artifacts that a sweep is moving are never forgotten: all ends as the last verb wants it."""
    house = open_house(engine={"batch": 3})
    names = [f"n{i}" for i in range(12)]
    for number, name in enumerate(names):
        house.store(name, b"%d" % (number % 4), age=timedelta(days=8))

    def do(index: int) -> None:
        name = names[index % len(names)]
        house.promote(name, "cold") if index % 2 else house.restore(name)
        if index % 3 == 0:
            house.turn()
            house.collect()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(do, range(12)))
    house.pass_time(timedelta(seconds=90))
    house.settle()
    for index, name in enumerate(names):
        assert set(house.show(name).wanted) == ({"cold"} if index % 2 else {"hot", "warm"})
