"""The protocol, without the engine: every interleaving of small scenarios, with all rules and without each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from faults.protocol import checker, marking_cases, rules, scenarios, vouching_cases
from faults.protocol.checker import World
from faults.protocol.marking import Marking
from faults.protocol.rules import Protocol, Rules
from faults.protocol.sharing import Sharing
from faults.protocol.vouching import Vouching
from support.scale import scaled

MOST = 80_000  # states of one scenario in its short form, which visits them all
DEEPER = scaled(short=1_000, long=40_000)  # states of one scenario with more crashes and pauses, shortest ways first


@dataclass(frozen=True, slots=True)
class Part:
    """One world: its scenarios, the switches of its rules, and what shows that each is needed."""

    name: str
    rules: Any
    scenarios: tuple[Any, ...]
    without: Mapping[str, tuple[str, str]]  # each rule alone taken away: a scenario that shows what comes of it
    size: tuple[int, int]  # scenarios and rules, so that none gets lost

    def world(self, scenario: Any, rules: Any = None) -> World[Any]:  # noqa: ANN401  each part has its own
        """Return the scenario under these rules; under all of them where none are given."""
        chosen = rules or self.rules()
        if self.name == "sharing":
            return Sharing(Protocol(chosen, scenario))
        return Vouching(chosen, scenario) if self.name == "vouching" else Marking(chosen, scenario)


SHARING = Part(
    "sharing",
    Rules,
    scenarios.SCENARIOS,
    {
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
    },
    size=(24, 21),
)
VOUCHING = Part(
    "vouching",
    vouching_cases.Rules,
    vouching_cases.SCENARIOS,
    {
        "r15_counts_for_nothing": ("two copies to a third tier, one not vouched for", "I1: right bytes go"),
        "r15_joined_by_none": ("a store of what is there, wrong", "I1: a store is answered"),
        "r15_due": ("a move", "I4"),
        "r16_named": ("a move", "I3: 1 is vouched for"),
        "r16_probed": ("a move on a server that ignores If-Match", "I3: 1 is vouched for"),
        "r16_no_answer_no_pin": ("two moves", "I3: 2 is vouched for"),
        "r17_vouched_source": ("a store joins what moves on", "I3: 2 is vouched for"),
        "r17_read_back": ("a move of what was wrong before anybody looked", "I3: 1 is vouched for"),
        "r18_pin_of_the_read": ("a move", "I3: 1 is vouched for"),
        "r18_conditional": ("a move", "I3: what a read refuted"),
    },
    size=(13, 10),
)
MARKING = Part(
    "marking",
    marking_cases.Rules,
    marking_cases.SCENARIOS,
    {
        "r19_mark_before": ("called, away from the beginning, purged", "I6"),
        "r19_mark_after": ("called, away for good", "I"),
        "r19_one_root": ("bound, purged while it is away", "I6"),
        "r20_two_looks": ("called, away and back", "I3: a copy that lies in our place"),
        "r21_survivor": ("called, away and back", "I1: the other copy goes"),
        "r22_copies_seen": ("of the release before, mistyped, and init is run", "I3: a copy that lies in our place"),
        "r22_noted": ("bound, away, and init is run", "I1: the other copy goes"),
        "r22_if_none_match": ("two catalogs take one place", "I3: two catalogs"),
        "r22_read_back": ("two catalogs take one place, replies are lost", "I3: two catalogs"),
        "r22_adopt_sees": ("under another line's mark, adopted", "I3: a copy that lies in our place"),
    },
    size=(13, 10),
)
PARTS = (SHARING, VOUCHING, MARKING)
SCENARIOS = [
    pytest.param(part, s, id=f"{part.name}-{s.name.replace(' ', '-')}") for part in PARTS for s in part.scenarios
]
RULES = [pytest.param(part, rule, id=rule) for part in PARTS for rule in part.without]

#: rules that another one stands behind: they are taken from a protocol without it, in which they carry the weight
WALLS = {"r4_list_first": Rules(seen_twice=False)}


@pytest.mark.parametrize(("part", "scenario"), SCENARIOS)
def test_the_rules_hold(part: Part, scenario: Any) -> None:  # noqa: ANN401  each part has its own
    """With all rules no interleaving of workers, crashes, late effects and wishes breaks an invariant."""
    found = checker.check(part.world(scenario), most=MOST)
    assert found.broken is None, "\n".join([found.broken or "", *found.way])
    assert found.whole, f"there are more than {MOST} states"


@pytest.mark.parametrize(("part", "scenario"), SCENARIOS)
def test_the_rules_hold_deeper(part: Part, scenario: Any) -> None:  # noqa: ANN401  as above
    """With one more of each fault, no state within reach breaks an invariant."""
    found = checker.check(part.world(_worse(scenario)), most=DEEPER)
    assert found.broken is None, "\n".join([found.broken or "", *found.way])


def _worse(scenario: Any) -> Any:  # noqa: ANN401  as above
    match scenario:
        case rules.Scenario(budget=b):
            more: Any = b._replace(crashes=b.crashes + 1, late=b.late + 1, expiries=b.expiries + 1)
        case vouching_cases.Scenario(budget=b):
            more = b._replace(crashes=b.crashes + 1, foreign=b.foreign + 1, lost=b.lost + 1)
        case _:  # a called store is safe from so many changes of place and no more
            flips = scenario.flips + (2 if scenario.bound else 0)
            return replace(scenario, crashes=scenario.crashes + 1, flips=flips)
    return replace(scenario, budget=more)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_rule_is_tried(part: Part) -> None:
    """Every switch of the rules is taken away once, and no scenario has gone."""
    assert set(part.without) == {field.name for field in fields(part.rules)}
    assert (len({s.name for s in part.scenarios}), len(part.without)) == part.size


@pytest.mark.parametrize(("part", "rule"), RULES)
def test_every_rule_is_needed(part: Part, rule: str) -> None:
    """Without the rule, one of the invariants breaks: the rule carries weight, and the check would see it gone."""
    name, expected = part.without[rule]
    (scenario,) = [s for s in part.scenarios if s.name == name]
    others = WALLS.get(rule, part.rules())
    if rule in WALLS:  # what holds with all rules was tried above
        assert checker.check(part.world(scenario, others), most=MOST).broken is None
    found = checker.check(part.world(scenario, replace(others, **{rule: False})), most=MOST)
    assert found.broken is not None
    assert found.broken.startswith(expected), "\n".join([found.broken, *found.way])
