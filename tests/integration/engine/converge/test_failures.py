"""What is tried again says what failed, why, and when it is tried again: never the step that comes after it."""

from datetime import timedelta

import pytest
from support.house import House, OpenHouse
from support.refusing_store import Refusing, replace

from tierkeeper.audit import lines
from tierkeeper.base import clock
from tierkeeper.cli.support import eventlog, listing, statistics
from tierkeeper.stores.errors import StoreDenied
from tierkeeper.values.health import Condition

WORDS = "Tier warm denies access: key AKIA is over ; ask. Check its credentials and its permissions."


def due_in_a_denying_tier(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, *, reason: str) -> House:
    """An artifact is due in a tier that denies everything, in these words, until the patches are undone."""
    house = open_house(tiers={"warm": {"options": {"layout": "cas"}}})
    house.store(age=timedelta(days=8))
    replace(house, "warm", Refusing)
    monkeypatch.setattr(Refusing, "refused", StoreDenied(tier="warm", reason=reason))
    monkeypatch.setattr(Refusing, "realm", "elsewhere")
    return house


@pytest.fixture
def denied(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> House:
    """An artifact that is due in a tier which denies everything, in words that no terminal should get; tried once."""
    house = due_in_a_denying_tier(open_house, monkeypatch, reason="key AKIA is over\x1b;\nask")
    house.turn()
    return house


def test_a_failed_move_is_told_as_one(denied: House) -> None:
    """show, explain, ls and stats name the move, the error with its tier and words, and the time of the next try."""
    view = denied.show()
    failure = view.failure
    assert failure is not None
    assert (failure.code, failure.tier, failure.words, failure.tries) == ("StoreDenied", "warm", WORDS, 1)
    assert view.next_step == "move to warm"
    assert view.due_at is not None
    told = denied.keeper.artifacts.explain(denied.ref())
    assert (told.next_step, told.next_at) == ("move to warm", view.due_at)
    [blocked] = told.blocked
    assert blocked.startswith("move to warm failed at ")
    assert f"(StoreDenied): {WORDS.rstrip('.')}; it is tried again at " in blocked
    assert listing.next_of(view, clock.now()).startswith("move to warm failed (StoreDenied), tried again ")
    [warm] = [tier for tier in denied.keeper.tiers.stats() if tier.tier == "warm"]
    assert warm.retrying == {"StoreDenied": 1}
    assert statistics.retrying([warm]) == ["warm: tried again after a failure: 1 artifact (StoreDenied 1)"]


def test_a_failed_move_counts_as_none(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its run counts it as tried again, and tables and exported lines of its event say that the move is under way."""
    house = due_in_a_denying_tier(open_house, monkeypatch, reason="it is full")
    assert house.turn() == {"retried": 1}
    monkeypatch.undo()
    house.sql("UPDATE schedule SET due_at = now()")
    assert house.turn() == {"promoted_to_warm": 1}
    moves = [
        event for event in house.keeper.events.select(ref=house.ref(), newest_first=False) if event.type == "moved"
    ]
    assert [lines.record(event)["event_type"] for event in moves] == ["moving_to_hot_and_warm", "promoted_to_warm"]
    assert [str(cell) for cell in eventlog.event_table(moves).columns[1].cells] == ["moving", "moved"]


def test_a_step_that_comes_first_is_not_said_to_have_failed(denied: House) -> None:
    """Whatever an edit of the policy hastens, and where a purge comes before the retry, the move is what failed."""

    def told() -> tuple[str | None, str, str, str]:
        view = denied.show()
        [blocked] = denied.keeper.artifacts.explain(denied.ref()).blocked
        assert view.failure is not None
        return view.failure.step, str(view.next_step), listing.next_of(view, clock.now()), blocked

    denied.sql("UPDATE artifacts SET created_at = now() - interval '9 days' + interval '1 minute'")
    denied.sql("UPDATE schedule SET due_at = now() + interval '5 minutes', failures = 6")
    denied.policy("name: p\nphases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}, {after: 9d, in: []}]\n")
    denied.keeper.sweeps.recompute()
    failed, coming, in_list, in_full = told()
    assert (failed, coming) == ("move to warm", "move to warm")
    assert in_list == "move to warm failed (StoreDenied), tried again now"
    assert "it is tried again at " in in_full
    denied.turn()
    failed, coming, in_list, in_full = told()
    assert (failed, coming) == ("move to warm", "purge")
    assert in_list.startswith("move to warm failed (StoreDenied); purge, ")
    assert in_full.startswith("move to warm failed at ")
    assert "next comes: purge, at " in in_full
    assert (listing.failure_of(denied.show()) or "").startswith("move to warm, ")


def test_what_fails_again_and_again_needs_attention(denied: House) -> None:
    """One failure is counted; after eight in a row, ten minutes, an operator is asked to look."""
    vital = denied.keeper.health.check(tiers=False)["retrying"]
    assert (vital.value, vital.condition) == (1, Condition.OK)
    denied.sql("UPDATE schedule SET failures = 8")
    vital = denied.keeper.health.check(tiers=False)["retrying"]
    assert (vital.value, vital.condition) == (1, Condition.ATTENTION)


def test_a_success_ends_it(denied: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the move is done nothing of its failure is left, and the next step is the one after it."""
    monkeypatch.setattr(Refusing, "refused", None)
    denied.pass_time(timedelta(minutes=10))
    denied.settle()
    view = denied.show()
    assert (view.failure, view.next_step) == (None, "move to cold")
    assert not denied.sql("SELECT FROM schedule WHERE failed_code IS NOT NULL OR failed_at IS NOT NULL")
    assert all(not tier.retrying for tier in denied.keeper.tiers.stats())


def test_what_a_process_of_the_release_before_did_is_no_failure(denied: House) -> None:
    """Such a process resets the number of failures and leaves the rest, which then says nothing any more."""
    denied.sql("UPDATE schedule SET failures = 0")
    assert denied.show().failure is None
    assert denied.keeper.artifacts.explain(denied.ref()).blocked == ()


def test_a_parked_one_keeps_its_failure(denied: House) -> None:
    """What is parked says what failed last, and is not said to be tried again."""
    denied.sql("UPDATE schedule SET attempts = 99, due_at = now()")
    denied.turn()
    view = denied.show()
    assert view.parked_reason == f"given up after 5 attempts: {WORDS}"
    assert view.failure is not None
    assert (view.failure.code, listing.next_of(view, clock.now())) == ("StoreDenied", "parked")
    assert "tried again" not in " ".join(denied.keeper.artifacts.explain(denied.ref()).blocked)
    assert denied.keeper.health.check(tiers=False)["retrying"].value == 0
