"""The built-in policies; their days and years come from the settings."""

from collections.abc import Sequence

from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.states import RetentionMode, Temperature, WriteStrategy
from tierkeeper.policy.checks import problems
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import CREATED, Match, Phase, Policy, Retention
from tierkeeper.policy.tiers import TierInfo

DEFAULT = "default"
RECORD = "record"
RECORD_TYPE = "application/json"
RECORD_TAGS = (("kind", "record"),)


def default_policy(
    tiers: Sequence[TierInfo], *, hot_days: int, warm_days: int, cold_days: int, undo: Duration | None = None
) -> Policy:
    """Return the policy of everything that no other matches: hot, warm, cold, then purged (document B: 7, 30, 90).

    The days are ages: hot until ``hot_days``, warm until ``warm_days``, purged at ``cold_days``. A temperature without
    a tier is left out, and the one before it ends at its own age. Database tiers are used only if there are no others.
    Raises InvalidInput if the days do not ascend or there is no tier.
    """
    ends = {Temperature.HOT: hot_days, Temperature.WARM: warm_days, Temperature.COLD: cold_days}
    usable = [tier for tier in tiers if not tier.is_database] or list(tiers)
    present = {
        tier.temperature: tier.name for tier in sorted(usable, key=lambda tier: tier.rank, reverse=True)
    }  # keeps the hottest tier of each temperature
    phases: list[Phase] = []
    begins = 0
    for temperature, end in ends.items():
        if temperature in present:
            phases.append(Phase(Duration(days=begins), frozenset((present[temperature],))))
            begins = end
    phases.append(Phase(Duration(days=cold_days), frozenset()))
    return _checked(
        Policy(DEFAULT, 0, Match(), CREATED, WriteStrategy.HOTTEST, tuple(phases), undo=undo, built_in=True), tiers
    )


def record_policy(
    tiers: Sequence[TierInfo], *, hot_days: int = 90, retention_years: int | None = None, undo: Duration | None = None
) -> Policy:
    """Return the policy of records: in the database and the coldest tier at once, after ``hot_days`` only there.

    No phase purges them. A record has both the content type ``application/json`` and the tag ``kind: record``; other
    JSON is governed like everything else. ``retention_years`` locks the coldest tier's copy (document A: 7). Raises
    InvalidInput if the days are not positive, there is no tier, or the coldest tier cannot lock.
    """
    if not tiers:
        raise _refused("no tier is configured", "Configure at least one tier.")
    by_rank = sorted(tiers, key=lambda tier: tier.rank)
    database = next((tier for tier in by_rank if tier.is_database), by_rank[0])
    cold = next((tier for tier in reversed(by_rank) if not tier.is_database), by_rank[-1])
    phases = [Phase(Duration(), frozenset((database.name, cold.name)))]
    if database != cold:
        phases.append(Phase(Duration(days=hot_days), frozenset((cold.name,))))
    retention = None
    if retention_years is not None:
        period = Duration(years=retention_years)
        retention = Retention(RetentionMode.GOVERNANCE, period, frozenset((cold.name,)))
    policy = Policy(
        name=RECORD,
        version=0,
        match=Match(tags=RECORD_TAGS, content_type=RECORD_TYPE),
        clock=CREATED,
        write=WriteStrategy.ALL,
        phases=tuple(phases),
        retention=retention,
        undo=undo,
        built_in=True,
    )
    return _checked(policy, tiers)


def _checked(policy: Policy, tiers: Sequence[TierInfo]) -> Policy:
    for problem in problems(policy, tiers):
        raise _refused(problem.problem.rstrip("."), problem.fix, policy.name)
    return policy


def _refused(problem: str, fix: str, name: str = RECORD) -> InvalidInput:
    return InvalidInput(field="built-in policy", value=name, problem=problem, fix=fix)
