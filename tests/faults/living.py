"""Lets a random machine live: so many lives of so many steps, in the order of the seed, none made shorter."""

from collections.abc import Mapping

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from support import scale


def live(machine: type[RuleBasedStateMachine], here: Mapping[str, object], *, lives: int, steps: int) -> None:
    """Let ``machine`` live; ``here`` is what all its lives find as their attributes."""
    made = hypothesis.seed(scale.SEED)(type(f"{machine.__name__}Here", (machine,), dict(here)))
    run_state_machine_as_test(
        made,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            database=None,
            phases=[Phase.generate],  # a life is short enough to be read as it is, and to make it shorter takes minutes
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
