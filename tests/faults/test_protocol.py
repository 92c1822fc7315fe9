"""The protocol, without the engine: every interleaving of small scenarios, with all rules and without each of them."""

from dataclasses import fields, replace

import pytest
from faults.protocol import checker
from faults.protocol.rules import Protocol, Rules, Scenario
from faults.protocol.scenarios import SCENARIOS
from faults.scale import scaled

MOST = 80_000  # states of one scenario in its short form, which visits them all
DEEPER = scaled(short=1_000, long=40_000)  # states of one scenario with more crashes and pauses, shortest ways first

#: each rule alone taken away, and a scenario that shows what comes of it
WITHOUT = {
    "r1_intent_first": ("a store delivered twice, reconciled", "I"),
    "r2_fenced": ("a move with a crash and a paused worker", "I2"),
    "r3_stale_intents": ("a move with a crash and a paused worker", "I4"),
    "r4_list_first": ("a move, reconciled", "I"),
    "r5_never_delete": ("two stores of nothing, lost replies", "I"),
    "r6_own_key": ("a store joins what is purged", "I1"),
    "r7_deleted_count": ("purge and undelete of one of two", "I"),
    "r8_frozen": ("the policy deletes", "I1"),
    "r9_decide_again": ("restored while the other moves on", "I4"),
    "r10_undelete_due": ("purge and undelete", "I4"),
    "r11_redundant": ("a store delivered twice, reconciled", "I4"),
    "r12_commit_lock": ("two move at once", "I"),
    "r12_collect_lock": ("a hold comes and goes", "I"),
    "r13_blob_with_last": ("a store joins what is purged", "I1"),
    "holds": ("a hold comes and goes", "I2"),
    "retention": ("retained on its way to cold", "I2"),
    "retention_of_now": ("retention is lengthened and shortened", "I2"),
    "retention_grows": ("retention is lengthened and shortened", "I"),
    "locks_are_due": ("retained on its way to cold", "I4"),
    "surplus_is_due": ("two versions, the newer is purged", "I4"),
    "seen_twice": ("a row is lost and found again", "I2"),
}

#: rules that another one stands behind: they are taken from a protocol without it, in which they carry the weight
WALLS = {"r4_list_first": Rules(seen_twice=False)}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name.replace(" ", "-"))
def test_the_rules_hold(scenario: Scenario) -> None:
    """With all rules no interleaving of workers, crashes, late effects and wishes breaks an invariant."""
    found = checker.check(Protocol(Rules(), scenario), most=MOST)
    assert found.broken is None, "\n".join([found.broken or "", *found.way])
    assert found.whole, f"there are more than {MOST} states"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name.replace(" ", "-"))
def test_the_rules_hold_deeper(scenario: Scenario) -> None:
    """With one crash, one late effect and one paused worker more, no state within reach breaks an invariant."""
    budget = scenario.budget
    more = budget._replace(crashes=budget.crashes + 1, late=budget.late + 1, expiries=budget.expiries + 1)
    found = checker.check(Protocol(Rules(), replace(scenario, budget=more)), most=DEEPER)
    assert found.broken is None, "\n".join([found.broken or "", *found.way])


def test_every_rule_is_tried() -> None:
    """Every switch of the rules is taken away once."""
    assert set(WITHOUT) == {field.name for field in fields(Rules)}


@pytest.mark.parametrize("rule", WITHOUT)
def test_every_rule_is_needed(rule: str) -> None:
    """Without the rule, one of the invariants breaks: the rule carries weight, and the check would see it gone."""
    name, expected = WITHOUT[rule]
    (scenario,) = [s for s in SCENARIOS if s.name == name]
    others = WALLS.get(rule, Rules())
    assert checker.check(Protocol(others, scenario), most=MOST).broken is None
    found = checker.check(Protocol(replace(others, **{rule: False}), scenario), most=MOST)
    assert found.broken is not None
    assert found.broken.startswith(expected), "\n".join([found.broken, *found.way])
