"""What retention and holds stop, and what they do not."""

from datetime import timedelta

import pytest
from unit.policy.samples import NOW, PHASES, WEEK, facts, phase, policy, retention, tier_set

from tierkeeper.base.states import OverrideKind
from tierkeeper.policy.decide import (
    Action,
    Decision,
    Facts,
    Override,
    decide,
    protects,
)
from tierkeeper.policy.rules import Policy

DAY = timedelta(days=1)
RESTORED = Override(OverrideKind.ADD, tier_set("hot"), NOW + 3 * DAY)


def decided(artifact: Facts, by: Policy | None = None) -> Decision:
    """Return what is decided now."""
    return decide(artifact, by or policy(), now=NOW, default_undo=WEEK)


LOCKED = policy(retention=retention("P7Y"), phases=(phase("0d", "hot", "cold"), phase("P7Y")))


@pytest.mark.parametrize(
    ("artifact", "by", "due", "blocked"),
    [
        # a hold: only its release makes it due
        (facts(100, holds=("litigation",)), policy(), None, ('hold "litigation"',)),
        # the artifact's own retention
        (facts(100, retain_until=NOW + 5 * DAY), policy(), 5, ("retention until 2025-06-06 12:00 UTC",)),
        # the policy's retention, counted from the creation, protects what was stored before it
        (facts(100), policy(retention=retention("101d")), 1, ("retention until 2025-06-02 12:00 UTC",)),
        # an undelete pins it
        (facts(100, not_before=NOW + 30 * DAY), policy(), 30, ("no policy deletes it before 2025-07-01 12:00 UTC",)),
        # the latest of several counts
        (
            facts(100, not_before=NOW + 30 * DAY, retain_until=NOW + 5 * DAY),
            policy(),
            30,
            ("retention until 2025-06-06 12:00 UTC", "no policy deletes it before 2025-07-01 12:00 UTC"),
        ),
        # two holds and a retention
        (
            facts(100, holds=("a", "b"), retain_until=NOW + 5 * DAY),
            policy(),
            None,
            ("retention until 2025-06-06 12:00 UTC", 'hold "a"', 'hold "b"'),
        ),
        # surplus versions are protected alike
        (facts(40, holds=("a",), newer_live=3), policy(versions_keep=3, phases=PHASES[:3]), None, ('hold "a"',)),
    ],
)
def test_protected(artifact: Facts, by: Policy, due: float | None, blocked: tuple[str, ...]) -> None:
    """What is protected stays in the tiers of its last phase, says why, and is due when the protection ends."""
    decision = decided(artifact, by)
    assert decision.action is Action.KEEP
    assert decision.tiers == {"cold"}
    assert decision.next_due == (None if due is None else NOW + due * DAY)
    assert decision.blocked == blocked
    assert decision.refused
    assert decision.next_step == "purge"


def test_protected_but_restored() -> None:
    """A held artifact past its purge can still be restored to another tier."""
    decision = decided(facts(100, holds=("a",), override=RESTORED))
    assert decision.tiers == {"cold", "hot"}
    assert decision.next_due == NOW + 3 * DAY


def test_protection_that_ended() -> None:
    """Retention, hold and pin that ended at this very moment no longer protect."""
    assert decided(facts(100, retain_until=NOW, not_before=NOW)).action is Action.DELETE


def test_purge_waits_for_retention() -> None:
    """A purge to come before the end of retention is due at the end of retention, and says what blocks it."""
    decision = decided(facts(40, retain_until=NOW + 80 * DAY))
    assert decision.next_due == NOW + 80 * DAY
    assert decision.blocked == ("retention until 2025-08-20 12:00 UTC",)
    assert not decision.refused


def test_retention_is_the_later_one() -> None:
    """Lengthening the policy's retention protects at once; shortening it leaves the artifact's own."""
    own = NOW + 400 * DAY
    assert decided(facts(0, retain_until=own), LOCKED).retain_until == NOW.replace(year=2032)
    assert decided(facts(0, retain_until=own), policy(retention=retention("1d"))).retain_until == own
    assert decided(facts(0)).retain_until is None


def test_protects() -> None:
    """Retention and holds protect content, a pin does not."""
    assert protects(facts(0, not_before=NOW + DAY), policy(), NOW) == ()
    assert protects(facts(0, holds=("a",)), LOCKED, NOW) == ("retention until 2032-06-01 12:00 UTC", 'hold "a"')
