"""What the keeper says of an artifact: where, why, what next; and of tiers, runs and events."""

from datetime import UTC, datetime, timedelta

from support.house import House

from tierkeeper.values.artifacts import Filter


def test_of_a_live_artifact(house: House) -> None:
    """It names the copy's tier with the rule and policy version that put it there, and the next step with its time."""
    house.store(age=timedelta(days=8))
    house.settle()
    told = house.keeper.artifacts.explain(house.ref())
    assert told.placed_by == {"warm": "default v1: phase 7d"}
    assert told.rule == "default v1: phase 7d"
    assert told.blocked == ()
    assert told.next_step == "move to cold"
    assert told.next_at is not None
    assert abs(told.next_at - datetime.now(UTC) - timedelta(days=22)) < timedelta(minutes=5)
    assert [e.type for e in told.history] == ["stored", "moved"]


def test_of_a_restored_artifact(house: House) -> None:
    """It says that a verb holds it there, until when, and where it returns to."""
    house.store(age=timedelta(days=40))
    house.settle()
    house.restore("a", days=2)
    told = house.keeper.artifacts.explain(house.ref())
    assert told.rule.startswith("restore until")
    assert set(told.placed_by) == {"hot", "cold"}
    assert told.next_step == "return to cold"


def test_of_a_deleted_artifact(house: House) -> None:
    """It says until when it can be undeleted, and that it is destroyed next."""
    house.store()
    house.purge(reason="no longer needed")
    told = house.keeper.artifacts.explain(house.ref())
    assert told.rule.startswith("deleted, purged at")
    assert told.next_step == "destroy"
    assert told.next_at == house.show().purge_at


def test_of_a_purged_artifact(house: House) -> None:
    """It says who deleted it, why, and when its last copy was destroyed."""
    house.store()
    house.purge(reason="no longer needed")
    house.days_pass(8)
    house.settle()
    told = house.keeper.artifacts.explain(house.ref())
    assert told.rule == "verb purge"
    for part in ("Deleted by tester", "(no longer needed)", "purged at", "last copy destroyed at"):
        assert part in told.reason
    assert told.next_at is None


def test_events_carry_their_causes(house: House) -> None:
    """Each event names its actor, the rule that caused it, the run, before and after."""
    house.store(age=timedelta(days=8))
    house.turn()
    moved, stored = house.keeper.events.select(ref=house.ref())
    assert (stored.actor, stored.policy) == ("tester", "default v1: phase 0d")
    assert (moved.actor, moved.policy) == ("beat", "default v1: phase 7d")
    assert moved.run == house.keeper.runs.latest()[0].id
    assert moved.before == {"state": "live", "wanted": ["hot"], "present": ["hot"]}
    assert moved.after == {"state": "live", "wanted": ["warm"], "present": ["warm"]}
    assert moved.age_days is not None
    assert 7.9 < moved.age_days < 8.1


def test_tiers_are_counted(house: House) -> None:
    """Copies and bytes are counted by tier, present and doomed apart, for one tenant or all."""
    house.store("a", b"12345", age=timedelta(days=8))
    house.store("b", b"123")
    house.store("c", b"1", tenant="other")
    house.turn()
    of = {s.tier: s for s in house.keeper.tiers.stats()}
    assert list(of) == ["hot", "records", "warm", "cold"]
    assert (of["hot"].present, of["hot"].present_bytes, of["hot"].doomed, of["hot"].doomed_bytes) == (2, 4, 1, 5)
    assert (of["warm"].present, of["warm"].present_bytes, of["hot"].tenants) == (1, 5, 2)
    assert {s.tier: s.present for s in house.keeper.tiers.stats(tenant="other")}["hot"] == 1


def test_artifacts_are_found_by_what_they_are(house: House) -> None:
    """Filters by pattern, prefix, tier, age and tags select what fits, in the order of names."""
    house.store("2026/b.md", b"1", tags={"kind": "report"})
    house.store("2026/a.md", b"2", age=timedelta(days=8))
    house.store("2025/c.txt", b"3", age=timedelta(days=40))
    house.settle()

    def names(**given: object) -> list[str]:
        return [v.ref.name for v in house.keeper.artifacts.select(Filter(**given))]  # type: ignore[arg-type]  # of many types

    assert names() == ["2025/c.txt", "2026/a.md", "2026/b.md"]
    assert names(name="*.md") == ["2026/a.md", "2026/b.md"]
    assert names(prefix="2026/") == ["2026/a.md", "2026/b.md"]
    assert names(tier="cold") == ["2025/c.txt"]
    assert names(older_than=timedelta(days=7)) == ["2025/c.txt", "2026/a.md"]
    assert names(tags={"kind": "report"}) == ["2026/b.md"]
    assert house.keeper.artifacts.count(Filter(name="*.md")) == 2
