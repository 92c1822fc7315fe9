"""Lets a random machine live: so many lives of so many steps, in the order of the seed, none made shorter."""

from collections.abc import Mapping

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RULE_MARKER, RuleBasedStateMachine, run_state_machine_as_test
from support import scale


def live(machine: type[RuleBasedStateMachine], here: Mapping[str, object], *, lives: int, steps: int) -> None:
    """Let ``machine`` live; ``here`` is what all its lives find as their attributes."""
    assert not lost_rules(machine)
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


def lost_rules(machine: type[RuleBasedStateMachine]) -> set[str]:
    """Return the rules that ``machine`` overrides without ``@rule``: no life would take them."""
    inherited = {name for base in machine.__mro__ for name, made in vars(base).items() if hasattr(made, RULE_MARKER)}
    return {name for name in inherited if not hasattr(getattr(machine, name), RULE_MARKER)}
