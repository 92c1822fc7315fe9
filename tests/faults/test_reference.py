"""The real engine against the reference model: any order of what users, time, sweeps, crashes and stores do."""

import hypothesis
from faults import scale, vault
from faults.lives import Lives
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from integration.keeper.house import House


def test_lives(house: House) -> None:
    """Whatever is done in whatever order, wherever it crashes and whichever store fails: engine and model agree."""
    place = vault.install(house, "cold")
    machine = hypothesis.seed(scale.SEED)(type("LivesHere", (Lives,), {"house": house, "vault": place}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=scale.scaled(short=25, long=100),
            stateful_step_count=scale.scaled(short=18, long=30),
            database=None,
            phases=[Phase.generate],  # a life is short enough to be read as it is, and to make it shorter takes minutes
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
