"""Scenario 16: foreign hands, and copies that nobody vouches for: no bad copy ever replaces a good one."""

from faults import unheeding
from faults.hands import Hands
from faults.living import live, lost_rules
from hypothesis.stateful import rule
from support import scale
from support.house import House


def test_lives_among_foreign_hands(house: House) -> None:
    """Whatever is overwritten, wherever it crashes and whichever store fails: engine and model agree on right bytes."""
    folders = unheeding.install(house)
    here = {"house": house, "vault": folders["cold"], "folders": folders}
    live(Hands, here, lives=scale.scaled(short=15, long=80), steps=scale.scaled(short=18, long=30))


def test_a_rule_that_is_overridden_stays_one() -> None:
    """A machine that overrides a rule by something that no life would take is told so before it lives."""

    class Idle(Hands):
        def collect(self) -> None: ...

        @rule()
        def verify(self) -> None: ...

    assert lost_rules(Idle) == {"collect"}
    assert lost_rules(Hands) == set()
