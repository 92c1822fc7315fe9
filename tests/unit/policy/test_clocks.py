"""What is refused at store because no phase could run on it."""

import pytest
from unit.policy.samples import policy

from tierkeeper.base.errors import InvalidInput, UnreadableClock
from tierkeeper.policy.clocks import check_metadata


def test_accepted() -> None:
    """Metadata with a readable clock and override pass."""
    check_metadata(policy(clock="metadata:signed"), {"signed": "2025-01-01", "retention_override": "7_years"})
    check_metadata(policy(), {})


def test_clock_refused() -> None:
    """A missing clock is refused by the policy's and the field's name."""
    with pytest.raises(
        UnreadableClock, match="Policy default counts the age from metadata field 'signed', which is missing"
    ):
        check_metadata(policy(clock="metadata:signed"), {})


def test_override_refused() -> None:
    """An unreadable retention_override is refused whatever the policy."""
    with pytest.raises(InvalidInput, match="retention_override"):
        check_metadata(policy(), {"retention_override": "for ever"})
