"""Scenario 16: foreign hands, and copies that nobody vouches for: no bad copy ever replaces a good one."""

import hypothesis
from faults import scale, unheeding
from faults.hands import Hands
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from integration.keeper.house import House


def test_lives_among_foreign_hands(house: House) -> None:
    """Whatever is overwritten, wherever it crashes and whichever store fails: engine and model agree on right bytes."""
    folders = unheeding.install(house)
    here = {"house": house, "vault": folders["cold"], "folders": folders}
    machine = hypothesis.seed(scale.SEED)(type("HandsHere", (Hands,), here))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=scale.scaled(short=15, long=80),
            stateful_step_count=scale.scaled(short=18, long=30),
            database=None,
            phases=[Phase.generate],  # as in test_reference.py
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
