"""What a commit writes of one artifact, and the one event that tells of it."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from support.artifact_rows import NOW, ROW

from tierkeeper.audit.artifacts import Moved, Purged, Retained
from tierkeeper.base import transitions
from tierkeeper.base.errors import TierkeeperError
from tierkeeper.base.states import ArtifactState, Outcome, RetentionMode, Temperature, WriteStrategy
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.active_policies import ActivePolicies
from tierkeeper.engine.converge import change
from tierkeeper.engine.copies.fates import Settlement
from tierkeeper.engine.moment import Limits, Moment
from tierkeeper.engine.verbs import wishes
from tierkeeper.policy.decide import decide
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Match, Phase, Policy, Retention
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.groups import EngineSettings

POLICY = Policy(
    "p",
    1,
    Match(),
    "created",
    WriteStrategy.HOTTEST,
    (
        Phase(Duration(), frozenset({"hot"})),
        Phase(Duration(days=7), frozenset({"warm"})),
        Phase(Duration(days=90), frozenset()),
    ),
    undo=Duration(days=7),
)

TIERS = [TierInfo(name, Temperature(name), rank) for rank, name in enumerate(("hot", "warm", "cold"))]


def made(row: ArtifactRow, *, days: float, complete: bool = True, policy: Policy = POLICY) -> change.Change:
    """The change of an artifact at an age, its copies all there or not."""
    now = NOW + timedelta(days=days)
    decision = decide(row.facts(now), policy, now=now, default_undo=Duration(days=7))
    there = frozenset({"hot"})
    settled = Settlement((), (), (), complete=complete, before=there, present=there)
    return change.of_artifact(row, decision, policy, settled, first=True, now=now)


def test_nothing_changes_nothing() -> None:
    """Where all is as it was there is no event, no revision and nothing to do."""
    found = made(ROW, days=1)
    assert (found.event, found.outcome, found.new.revision) == (None, Outcome.NOTHING, 1)


def test_a_move() -> None:
    """A move writes what is wanted now, with one event and the next revision."""
    found = made(ROW, days=8)
    assert (found.event, found.label, found.new.revision) == (Moved, "promoted_to_warm", 2)
    assert found.new.wanted == {"warm"}


def test_a_move_that_is_not_complete() -> None:
    """Until everything wanted is there, what was wanted before is wanted still (R9)."""
    assert made(ROW, days=8, complete=False).new.wanted == {"hot", "warm"}


def test_the_undo_window() -> None:
    """At the purge age the artifact is deleted and keeps its tiers; it is purged at the end of the window."""
    deleted = made(ROW, days=91).new
    assert deleted.state is ArtifactState.DELETED
    assert deleted.wanted == {"hot"}
    assert deleted.purge_at == NOW + timedelta(days=98)
    assert made(deleted, days=97).event is None
    purged = made(deleted, days=98)
    assert (purged.event, purged.new.state, purged.new.wanted) == (Purged, ArtifactState.PURGED, frozenset())
    assert made(purged.new, days=99).new == purged.new


def test_a_purge_waits_for_what_others_want() -> None:
    """While a copy that a twin wants is missing, the purge is not committed."""
    deleted = made(ROW, days=91).new
    assert made(deleted, days=99, complete=False).new.state is ArtifactState.DELETED


def test_retention_only_grows() -> None:
    """The policy's retention is written when it is longer than the artifact's own; compliance stays compliance."""
    policy = replace(POLICY, retention=Retention(RetentionMode.GOVERNANCE, Duration(days=30), frozenset({"warm"})))
    change = made(ROW, days=1, policy=policy)
    given = change.new
    assert (change.event, given.revision) == (Retained, ROW.revision + 1)
    assert (given.retain_until, given.retain_mode) == (NOW + timedelta(days=30), "governance")
    longer = replace(ROW, retain_until=NOW + timedelta(days=60), retain_mode="compliance")
    assert made(longer, days=1, policy=policy).new.retain_until == longer.retain_until
    shorter = replace(longer, retain_until=NOW + timedelta(days=10))
    kept = made(shorter, days=1, policy=policy).new
    assert (kept.retain_until, kept.retain_mode) == (NOW + timedelta(days=30), "compliance")


def rows_in_every_state() -> list[ArtifactRow]:
    """An artifact that lives, one that can be undeleted, and one that is purged."""
    deleted = replace(ROW, state=ArtifactState.DELETED, deleted_at=NOW, purge_at=NOW + timedelta(days=7))
    purged = replace(deleted, state=ArtifactState.PURGED, wanted=frozenset(), purged_at=NOW + timedelta(days=7))
    return [ROW, deleted, purged]


def by_commits() -> set[tuple[ArtifactState | None, ArtifactState | None]]:
    """The changes of state that a commit makes, over all states and ages, complete or not."""
    found = [
        made(row, days=days, complete=complete)
        for row in rows_in_every_state()
        for days in (1, 6, 8, 89, 91, 200)
        for complete in (True, False)
    ]
    return {(change.old.state, change.new.state) for change in found if change.old.state is not change.new.state}


def by_verbs() -> set[tuple[ArtifactState | None, ArtifactState | None]]:
    """The changes of state that the verbs wish for, of artifacts in every state."""
    found: set[tuple[ArtifactState | None, ArtifactState | None]] = set()
    for row in rows_in_every_state():
        moment = Moment(NOW + timedelta(days=1), ActivePolicies((POLICY,)), Limits(undo=Duration(days=7)))
        asked = wishes.Asked(row, moment, frozenset({"hot"}), TIERS, EngineSettings())
        for verb in (partial(wishes.promote, to_tier="warm"), wishes.archive, wishes.purge, wishes.undelete):
            with suppress(TierkeeperError):
                after = verb(asked).new.state
                found |= {(row.state, after)} - {(row.state, row.state)}
    return found


def test_the_states_of_an_artifact() -> None:
    """What commits and verbs do to an artifact's state, and that it begins live, is the table of its states."""
    assert by_commits() | by_verbs() | {(None, ArtifactState.LIVE)} == transitions.ARTIFACT
