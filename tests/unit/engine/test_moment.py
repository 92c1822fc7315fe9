"""The moment of a decision: which policy, which time and which limits decide about a row."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.artifact_rows import NOW, ROW
from unit.policy.samples import PHASES, WEEK, policy, retention, tier_set

from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog.json_values import UnreadableJson
from tierkeeper.engine.active_policies import ActivePolicies
from tierkeeper.engine.moment import Limits, Moment
from tierkeeper.policy.decision import Action
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Match, Policy

DAY = timedelta(days=1)
REPORTS = Match(workflow="reports")


def moment(*policies: Policy, days: float = 0) -> Moment:
    """The moment so many days after the row was made, with a week's undo window where no policy has one."""
    return Moment(NOW + days * DAY, ActivePolicies(policies or (policy(),)), Limits(undo=WEEK))


def test_the_governing_policy_decides() -> None:
    """Each row is decided by the most specific active policy that matches it, and the decision says by which."""
    now = moment(policy(), policy("reports", REPORTS, phases=PHASES[2:]), days=8)
    assert (now.decide(ROW).policy.name, now.decide(ROW).tiers) == ("default", tier_set("warm"))
    report = replace(ROW, workflow="reports")
    assert (now.decide(report).policy.name, now.decide(report).tiers) == ("reports", tier_set("cold"))


def test_the_undo_window() -> None:
    """The undo window is the policy's own, or else that of the limits, in a decision and for a verb."""
    assert moment(days=91).decide(ROW).purge_at == NOW + 98 * DAY
    assert moment(days=91).undo_end(ROW) == NOW + 98 * DAY
    own = moment(policy(undo=Duration(days=1)), days=91)
    assert (own.decide(ROW).purge_at, own.undo_end(ROW)) == (NOW + 92 * DAY, NOW + 92 * DAY)


def test_a_row_as_it_would_be() -> None:
    """A row with other columns is decided as if it were so, and the row itself as before."""
    now = moment(days=91)
    assert now.decide(replace(ROW, not_before=NOW + 92 * DAY)).action is Action.KEEP
    assert now.decide(replace(ROW, archived_tiers=tier_set("hot"), holds=("h",))).tiers == {"hot"}
    deleted = replace(ROW, state=ArtifactState.DELETED, purge_at=NOW + 90 * DAY)
    assert now.decide(deleted).action is Action.DESTROY
    assert now.decide(ROW).action is Action.DELETE


@pytest.mark.parametrize(("at", "tiers"), [(6, {"hot"}), (7, {"warm"}), (45, {"cold"})])
def test_what_is_coming(at: float, tiers: set[str]) -> None:
    """What will be wanted at a later time is told by that time, and the moment stays what it was."""
    now = moment(days=1)
    assert now.coming(ROW, NOW + at * DAY).tiers == tiers
    assert now.decide(ROW).tiers == {"hot"}


def test_an_override_that_ends() -> None:
    """An override counts until its end, whenever that is asked about."""
    restored = replace(ROW, override_kind="add", override_tiers=tier_set("hot"), override_until=NOW + 10 * DAY)
    assert moment(days=8).decide(restored).tiers == {"hot", "warm"}
    assert moment(days=8).coming(restored, NOW + 10 * DAY).tiers == {"warm"}


def test_other_policies() -> None:
    """Policies that are not active yet stand in the place of those of their names, beside the others."""
    now = moment(policy(), policy("reports", REPORTS), days=8)
    other = now.under([policy(version=2, phases=PHASES[2:]), policy("logs", Match(workflow="w"))])
    assert sorted(p.label for p in other.policies) == ["default v2", "logs v1", "reports v1"]
    assert (other.decide(ROW).policy.name, other.now, other.limits) == ("logs", now.now, now.limits)
    assert other.decide(replace(ROW, workflow="x")).tiers == {"cold"}
    assert [p.label for p in now.policies] == ["default v1", "reports v1"]


def test_retention_protects() -> None:
    """Retention of the policy or of the row protects to the end of the later one; holds protect for ever."""
    now = moment(policy(retention=retention("30d")), days=29)
    assert now.retained_until(ROW) == NOW + 30 * DAY
    assert now.protects(ROW)
    assert moment(policy(retention=retention("30d")), days=30).protects(ROW) == ()
    later = replace(ROW, retain_until=NOW + 31 * DAY)
    assert now.retained_until(later) == NOW + 31 * DAY
    assert moment(policy(retention=retention("30d")), days=30).protects(later)
    assert moment(days=4000).protects(replace(ROW, holds=("case",))) == ('hold "case"',)
    assert (moment().protects(ROW), moment().retained_until(ROW)) == ((), None)


def test_the_next_phase() -> None:
    """The next phase begins at its age, a purge is one, and after it none comes."""
    assert [moment(days=days).next_phase(ROW) for days in (0, 7, 30, 90)] == [
        NOW + 7 * DAY,
        NOW + 30 * DAY,
        NOW + 90 * DAY,
        None,
    ]


@pytest.mark.parametrize("column", ["metadata", "tags"])
def test_what_cannot_be_read_protects(column: str) -> None:
    """Policies match by it, so nobody can tell what protects the artifact: it is not destroyed, nor is its content."""
    now = moment(days=91)
    deleted = replace(ROW, state=ArtifactState.DELETED, purge_at=NOW + 90 * DAY)
    assert now.judged(deleted) == (now.decide(deleted), ())
    assert now.decide(deleted).action is Action.DESTROY
    stand_in: dict[str, Any] = {column: UnreadableJson()}
    unreadable = replace(deleted, **stand_in)
    assert now.decide(unreadable).action is Action.KEEP
    protections = now.protects(replace(unreadable, state=ArtifactState.PURGED))
    assert [column in each for each in protections] == [True]
    assert now.judged(unreadable) == (now.decide(unreadable), now.protects(unreadable))
