"""The rules of the design, each by the shortest story that leaks or loses without it."""

from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import crashing, invariants, vault
from support.callers import TESTER
from support.house import LEASES_END, House
from support.severed import severed_at_commit, unbelieved
from support.slow_worker import Slow

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import ArtifactPurged, CatalogUnavailable, RetentionLocked
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Outcome
from tierkeeper.catalog import database
from tierkeeper.engine.collect import collect
from tierkeeper.engine.ingest import ingest

WEEK = timedelta(days=8)  # old enough for warm, by the default policy
NO_WINDOW = """
name: now
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}, {after: 90d, in: []}]
undo: 0d
"""
RETAINED = """
name: retained
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 1d, in: [cold]}]
retention: {mode: governance, for: 30d, in: [cold]}
undo: 0d
"""


def dies_after(module: str, step: str) -> AbstractContextManager[None]:
    """A process that dies right after this step."""
    return crashing.crashing(crashing.Step(f"tierkeeper.engine.{module}.{module}", step), "after")


def folder(house: House, tier: str) -> Path:
    """The folder of a tier."""
    return Path(house.settings.tiers[tier].url.removeprefix("file://"))


def test_bytes_of_a_store_have_a_row_first(house: House) -> None:
    """A store that dies after its bytes were written leaves none that the catalog does not know (R1)."""
    with dies_after("ingest", "step_3_write"), pytest.raises(crashing.Crash):
        house.store()
    assert house.everything()
    invariants.check(house.keeper)
    house.pass_time(LEASES_END)
    house.settle()
    assert house.everything() == []


def test_bytes_of_a_move_have_a_row_first(house: House) -> None:
    """A worker that dies after it copied leaves no bytes that the catalog does not know (R1, R3)."""
    house.store(age=WEEK)
    with dies_after("converge", "step_4_copy"), pytest.raises(crashing.Crash):
        house.turn()
    assert len(house.everything()) == 2
    invariants.check(house.keeper)
    house.pass_time(LEASES_END)
    house.settle()
    assert len(house.everything()) == 1


def test_a_copy_that_is_being_deleted_is_not_committed(house: House) -> None:
    """A worker that wakes while collect deletes its stale intent commits nothing (R2)."""
    house.store(age=WEEK)
    slow = Slow(house).claim().intend().copy()
    house.pass_time(LEASES_END)
    engine, token = house.keeper.engine, new_id()
    picked = collect.step_1_pick(engine.catalog, [])
    marked, _ = collect.step_2_mark(engine, token, picked, caller=TESTER, dry_run=False)
    (result,) = slow.commit().values()
    gone = collect.step_3_delete(engine, marked)
    collect.step_4_forget(engine.catalog, token, marked, gone, caller=TESTER, run=None)
    invariants.check(house.keeper)
    assert result.outcome is Outcome.RETRY
    assert house.tiers() == {"hot"}
    house.pass_time(LEASES_END)
    house.settle()


def test_an_unknown_outcome_is_not_cleaned_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose COMMIT took effect, but whose reply was lost, leaves its bytes; a redelivery finds them (R5)."""
    monkeypatch.setattr(database, "_TRIES", 1)
    caller = Caller("tester", key="once")
    args = house.args()
    catalog = house.keeper.engine.catalog
    with severed_at_commit(catalog, partial(unbelieved, house), commit=2), pytest.raises(CatalogUnavailable):
        house.keeper.artifacts.store(args, caller=caller)
    invariants.check(house.keeper)
    assert house.read() == b"content"
    assert house.keeper.artifacts.store(args, caller=caller).outcome == "stored"
    house.settle()


def test_no_phase_runs_for_what_is_deleted(house: House) -> None:
    """Within its undo window an artifact stays where it was, though its age would move or purge it (R8)."""
    house.store("young", b"young", age=timedelta(days=6))
    house.store("old", b"old", age=timedelta(days=29))
    house.turn()
    house.days_pass(60)
    house.settle()
    for name in ("young", "old"):
        house.purge(name)
    house.days_pass(3)
    house.due(house.show("young").id)
    house.due(house.show("old").id)
    house.settle()
    assert (house.tiers("young"), house.tiers("old")) == ({"cold"}, {"cold"})
    house.undelete("young")
    assert house.read("young") == b"young"


def test_the_policy_deletes_as_a_user_does(house: House) -> None:
    """What its policy deletes has the whole undo window too, and is pinned when it comes back (R10)."""
    house.store(age=timedelta(days=91))
    house.turn()
    house.days_pass(6)
    house.settle()
    house.due(house.show().id)  # somebody may look at it at any time
    house.settle()
    assert house.show().state == "deleted"
    house.undelete()
    house.days_pass(10)
    house.settle()
    assert house.show().state == "live"
    assert house.read() == b"content"


def test_nothing_comes_back_from_purged(house: House) -> None:
    """An undelete after the purge is refused with its time (R10)."""
    house.policy(NO_WINDOW)
    house.store()
    house.purge()
    with pytest.raises(ArtifactPurged):
        house.undelete()
    house.settle()
    assert house.show().state == "purged"


def test_a_duplicate_does_not_stay(house: House) -> None:
    """Of two copies that two workers made in one tier, the one that lost is collected (R11)."""
    house.store(age=WEEK)
    slow = Slow(house).claim().intend().copy()
    house.pass_time(LEASES_END)
    house.turn()
    slow.commit()
    house.settle()
    assert len(house.everything()) == 1


def test_the_only_copy_of_what_is_wanted_is_not_collected(house: House) -> None:
    """A doomed copy that is wanted again, and of which there is no other, is not taken before it is rescued (R11)."""
    house.store(age=WEEK)
    house.turn()
    house.sql("UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now() WHERE tier = 'warm'")
    counts = house.collect().counts
    assert (counts["kept: wanted"], counts["kept: not everything wanted is present"]) == (1, 1)
    house.due(house.show().id)
    house.settle()
    assert house.tiers() == {"warm"}


def test_content_goes_with_its_last_copy(house: House) -> None:
    """While one copy can't be deleted the content's row and its receipt wait for it (R13)."""
    house.policy(NO_WINDOW)
    house.store()
    house.restore(to_tier="cold")
    house.settle()
    house.purge()
    away = folder(house, "cold").rename(folder(house, "cold").with_name("away"))
    house.collect()
    assert "destroyed" not in house.events()
    assert house.sql("SELECT count(*) FROM blobs")[0][0] == 1
    away.rename(folder(house, "cold"))
    house.pass_time(LEASES_END)
    house.settle()
    assert house.events()[-1] == "destroyed"
    assert house.sql("SELECT count(*) FROM blobs")[0][0] == 0
    assert house.everything() == []


def test_a_store_takes_a_content_that_is_going(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose content is destroyed between its steps makes a copy of its own (R13)."""
    house.policy(NO_WINDOW)
    house.store("a", b"shared")
    commit = ingest.step_4_commit

    def purge_first(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as the step's
        monkeypatch.setattr(ingest, "step_4_commit", commit)
        house.purge("a")
        house.collect()
        return commit(*args, **kwargs)

    monkeypatch.setattr(ingest, "step_4_commit", purge_first)
    house.store("b", b"shared")
    assert house.read("b") == b"shared"
    house.settle()


def test_retention_that_was_lengthened_protects_at_once(house: House) -> None:
    """A longer retention of the policy stops a purge that is already due, before any sweep has noted it."""
    cold = vault.install(house, "cold")
    house.policy(RETAINED.replace("for: 30d", "for: 5d"))
    house.store(age=timedelta(days=2))
    house.settle()
    house.days_pass(4)
    cold.time_passes(timedelta(days=4))
    house.policy(RETAINED)
    with pytest.raises(RetentionLocked):
        house.purge()
    house.settle()
    assert house.show().state == "live"


def test_a_retention_that_comes_before_the_delete_keeps_a_copy(house: House) -> None:
    """Collect asks the policy of now: the last copy of what a new policy retains stays, though it is purged."""
    cold = vault.install(house, "cold")
    house.policy(RETAINED.replace("for: 30d", "for: 1d"))
    house.store(age=timedelta(days=3))
    house.settle()
    house.purge()
    assert house.show().state == "purged"
    house.policy(RETAINED)
    assert house.collect().counts == {"kept: protected": 1}
    house.days_pass(40)
    cold.time_passes(timedelta(days=40))
    house.settle()
    assert house.everything() == []


def test_a_lock_that_was_put_is_waited_for(house: House) -> None:
    """A copy that its store has locked is not even asked to go until the lock ends, whatever the policy says now."""
    cold = vault.install(house, "cold")
    house.policy(RETAINED)
    house.store(age=timedelta(days=2))
    house.settle()
    house.promote("a", "hot")
    assert house.collect().counts == {"kept: protected": 1}
    house.days_pass(40)
    cold.time_passes(timedelta(days=40))
    house.settle()
    assert house.tiers() == {"hot"}


def test_a_version_that_lives_again_makes_older_ones_surplus(house: House) -> None:
    """An older version that was kept because the newer one was deleted goes when that one is undeleted."""
    house.policy("name: one\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nversions: {keep: 1}\nundo: 7d\n")
    house.store("a", b"first")
    house.hold("a")
    house.store("a", b"second")
    house.turn()
    house.purge("a")
    house.sql("UPDATE holds SET released_at = now(), released_by = 'tester'")
    house.due(house.show("a", 1).id)
    house.turn()
    assert house.show("a", 1).state == "live"
    house.undelete("a")
    house.turn()
    assert (house.show("a", 1).state, house.show("a", 2).state) == ("deleted", "live")


def test_a_longer_retention_is_locked_by_the_next_turn(house: House) -> None:
    """An edit that lengthens retention makes due what it concerns, though nothing moves: rows and locks follow."""
    cold = vault.install(house, "cold")
    house.policy(RETAINED)
    house.store(age=timedelta(days=2))
    house.settle()
    (before,) = cold.locks.values()
    house.policy(RETAINED.replace("for: 30d", "for: 60d"))
    assert house.keeper.sweeps.due() == 1
    house.settle()
    until = house.show().retain_until
    (after,) = cold.locks.values()
    assert until is not None
    assert after >= until > before + timedelta(days=29)
    assert house.events()[-1] == "retained"
    house.policy(RETAINED)
    house.settle()
    assert house.show().retain_until == until
