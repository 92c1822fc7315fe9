"""Tiers, policies and facts that the tests of policies share."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tierkeeper.base.states import ArtifactState, RetentionMode, Temperature, WriteStrategy
from tierkeeper.policy.decide import Facts
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Match, Phase, Policy, Retention
from tierkeeper.policy.tiers import TierInfo

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
WEEK = Duration(days=7)
TIERS = (
    TierInfo("records", Temperature.HOT, 0, is_database=True),
    TierInfo("hot", Temperature.HOT, 1),
    TierInfo("warm", Temperature.WARM, 2),
    TierInfo("cold", Temperature.COLD, 3, can_lock=True),
)


def tier_set(*names: str) -> frozenset[str]:
    """Return a set of tiers."""
    return frozenset(names)


def phase(after: str, *names: str) -> Phase:
    """Return a phase of these tiers."""
    return Phase(Duration.parse(after), frozenset(names))


def retention(period: str) -> Retention:
    """Return a retention in the cold tier."""
    return Retention(RetentionMode.GOVERNANCE, Duration.parse(period), tier_set("cold"))


PHASES = (phase("0d", "hot"), phase("7d", "warm"), phase("30d", "cold"), phase("90d"))


def policy(name: str = "default", match: Match | None = None, **changes: Any) -> Policy:  # noqa: ANN401  any field
    """Return a policy of the default phases, with changes."""
    given: dict[str, Any] = {
        "version": 1,
        "match": match or Match(),
        "clock": "created",
        "write": WriteStrategy.HOTTEST,
        "phases": PHASES,
    }
    return Policy(name=name, **(given | changes))


def facts(age: float = 0, **changes: Any) -> Facts:  # noqa: ANN401  any field
    """Return a live artifact of ``age`` days."""
    given: dict[str, Any] = {
        "id": UUID(int=1),
        "state": ArtifactState.LIVE,
        "created_at": NOW - timedelta(days=age),
        "accessed_at": None,
        "metadata": {},
        "wanted": tier_set("hot"),
        "purge_at": None,
        "not_before": None,
        "retain_until": None,
        "override": None,
        "holds": (),
        "newer_live": 0,
    }
    return Facts(**(given | changes))
