"""The built-in policies, and the words about tiers."""

import pytest
from unit.policy.samples import PHASES, TIERS, phase, policy, retention, tier_set

from tierkeeper.base.errors import InvalidInput, UnknownTier
from tierkeeper.base.states import Temperature, WriteStrategy
from tierkeeper.policy.builtin import default_policy, record_policy
from tierkeeper.policy.match import Subject, governing
from tierkeeper.policy.tiers import TierInfo, coldest, coldest_lockable, hottest, ordered

RECORDS, HOT, WARM, COLD = TIERS


@pytest.mark.parametrize(
    ("tiers", "phases"),
    [
        # document B
        (TIERS, PHASES),
        # without a warm tier the hot one ends at its own age
        ((HOT, COLD), (phase("0d", "hot"), phase("7d", "cold"), phase("90d"))),
        # without a hot tier artifacts begin in the warm one
        ((WARM, COLD), (phase("0d", "warm"), phase("30d", "cold"), phase("90d"))),
        # one tier
        ((HOT,), (phase("0d", "hot"), phase("90d"))),
        # nothing but a database
        ((RECORDS,), (phase("0d", "records"), phase("90d"))),
        # of two hot tiers the hotter one
        ((TierInfo("fast", Temperature.HOT, 0), HOT), (phase("0d", "fast"), phase("90d"))),
    ],
)
def test_default(tiers: tuple[TierInfo, ...], phases: object) -> None:
    """The default policy moves through the temperatures that there are tiers for, then purges."""
    made = default_policy(tiers, hot_days=7, warm_days=30, cold_days=90)
    assert made == policy("default", version=0, phases=phases, built_in=True)


@pytest.mark.parametrize(
    ("tiers", "days"),
    [
        (TIERS, (7, 7, 90)),
        (TIERS, (30, 7, 90)),
        (TIERS, (7, 30, 30)),
        ((), (7, 30, 90)),
    ],
)
def test_default_refused(tiers: tuple[TierInfo, ...], days: tuple[int, int, int]) -> None:
    """Days that do not ascend, or no tier at all, make no default policy."""
    with pytest.raises(InvalidInput):
        default_policy(tiers, hot_days=days[0], warm_days=days[1], cold_days=days[2])


def test_record() -> None:
    """A record is in the database and the coldest tier at once, after the days only in the coldest, for good."""
    made = record_policy(TIERS)
    assert made.phases == (phase("0d", "records", "cold"), phase("90d", "cold"))
    assert (made.write, made.retention) == (WriteStrategy.ALL, None)
    assert record_policy(TIERS, retention_years=7).retention == retention("P7Y")
    assert record_policy((COLD,)).phases == (phase("0d", "cold"),)


def test_record_governs() -> None:
    """Both the content type and the tag make a record."""
    policies = [default_policy(TIERS, hot_days=7, warm_days=30, cold_days=90), record_policy(TIERS)]
    tags = (("kind", "record"),)
    assert governing(policies, Subject("t", "w", "n", tags, "application/json")).name == "record"
    assert governing(policies, Subject("t", "w", "n", (), "application/json")).name == "default"
    assert governing(policies, Subject("t", "w", "n", tags, "text/plain")).name == "default"


def test_record_refused() -> None:
    """Retention needs a cold tier that can lock, and a policy needs a tier."""
    with pytest.raises(InvalidInput, match="cannot lock"):
        record_policy((RECORDS, HOT), retention_years=7)
    with pytest.raises(InvalidInput, match="no tier"):
        record_policy(())


def test_order_of_tiers() -> None:
    """Tiers are ordered by rank, and one that is not configured is an error that lists those that are."""
    assert ordered(tier_set("cold", "hot", "records"), TIERS) == ("records", "hot", "cold")
    assert hottest(["cold", "warm"], TIERS) == "warm"
    assert coldest(["hot", "warm"], TIERS) == "warm"
    assert coldest_lockable(["hot", "cold"], TIERS) == "cold"
    assert coldest_lockable(["hot", "warm"], TIERS) is None
    with pytest.raises(UnknownTier, match="records, hot, warm, cold"):
        hottest(["attic"], TIERS)
