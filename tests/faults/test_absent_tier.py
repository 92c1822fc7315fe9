"""Scenario 17: a tier's place is away for a time, and something else may stand there: nothing is concluded or lost."""

import pytest
from faults.absent import Absence
from faults.living import live
from support import places, scale
from support.house import House


@pytest.mark.parametrize("called", [False, True], ids=["bound", "called"])
def test_lives_in_which_a_tier_is_away(house: House, called: bool) -> None:  # noqa: FBT001  a parameter
    """Whatever goes away, whenever, wherever it crashes and whichever store fails: engine and model agree again."""
    made = places.install(house, called=called)
    here = {"house": house, "vault": made["cold"].vault, "places": made}
    live(Absence, here, lives=scale.scaled(short=7, long=24), steps=scale.scaled(short=12, long=24))
