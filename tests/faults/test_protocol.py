"""The protocol, without the engine: every interleaving of small scenarios, with all rules and without each of them."""

from dataclasses import replace

import pytest
from faults.protocol import checker
from faults.protocol.rules import SCENARIOS, Protocol, Rules, Scenario

MOST = 80_000  # states of one scenario

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
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name.replace(" ", "-"))
def test_the_rules_hold(scenario: Scenario) -> None:
    """With all rules no interleaving of workers, crashes, late effects and wishes breaks an invariant."""
    found = checker.check(Protocol(Rules(), scenario), most=MOST)
    assert found.broken is None, "\n".join([found.broken or "", *found.way])
    assert found.whole, f"there are more than {MOST} states"


@pytest.mark.parametrize("rule", WITHOUT)
def test_every_rule_is_needed(rule: str) -> None:
    """Without the rule, one of the invariants breaks: the rule carries weight, and the check would see it gone."""
    name, expected = WITHOUT[rule]
    (scenario,) = [s for s in SCENARIOS if s.name == name]
    found = checker.check(Protocol(replace(Rules(), **{rule: False}), scenario), most=MOST)
    assert found.broken is not None
    assert found.broken.startswith(expected), "\n".join([found.broken, *found.way])
