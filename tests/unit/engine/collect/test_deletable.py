"""Whether one copy may be deleted now: a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.placement_rows import copy

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.collect.deletable import Needs, Verdict, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATE = timedelta(minutes=1)
SOON = NOW + timedelta(seconds=1)
DOOMED = copy("hot", PlacementState.DOOMED)
NOBODY = Needs(wanted=frozenset(), protected=False, guarded=frozenset())
HELD = Needs(wanted=frozenset(), protected=True, guarded=frozenset())
GUARDED = Needs(wanted=frozenset({"warm"}), protected=True, guarded=frozenset({"hot"}))


def wanting(*tiers: str) -> Needs:
    """What is wanted, with nothing protected."""
    return replace(NOBODY, wanted=frozenset(tiers))


@pytest.mark.parametrize(
    ("target", "others", "needs", "verdict"),
    [
        # doomed: goes when it is ripe and nobody wants it
        (DOOMED, [], NOBODY, Verdict.COLLECTED),
        (replace(DOOMED, delete_after=SOON), [], NOBODY, Verdict.NOT_RIPE),
        (copy("hot"), [], NOBODY, Verdict.NOT_RIPE),
        # it goes too where another one is present in its wanted tier (R11)
        (DOOMED, [], wanting("hot"), Verdict.WANTED),
        (DOOMED, [copy("hot")], wanting("hot"), Verdict.COLLECTED),
        (DOOMED, [copy("hot", PlacementState.DOOMED)], wanting("hot"), Verdict.WANTED),
        (DOOMED, [replace(copy("hot"), damaged_at=NOW)], wanting("hot"), Verdict.WANTED),
        (DOOMED, [replace(copy("hot"), vouched=None)], wanting("hot"), Verdict.WANTED),
        (DOOMED, [replace(copy("hot"), missed_at=NOW)], wanting("hot"), Verdict.WANTED),
        # it stays while something wanted is missing elsewhere: it may be the source
        (DOOMED, [], wanting("warm"), Verdict.INCOMPLETE),
        (DOOMED, [copy("warm", PlacementState.COPYING)], wanting("warm"), Verdict.INCOMPLETE),
        (DOOMED, [copy("warm")], wanting("warm"), Verdict.COLLECTED),
        (DOOMED, [replace(copy("warm"), vouched=None)], wanting("warm"), Verdict.INCOMPLETE),
        (DOOMED, [replace(copy("warm"), missed_at=NOW)], wanting("warm"), Verdict.INCOMPLETE),
        # protected content keeps its last copy, and those in the tiers that guard it
        (DOOMED, [], HELD, Verdict.PROTECTED),
        (DOOMED, [copy("cold")], HELD, Verdict.COLLECTED),
        (DOOMED, [replace(copy("cold"), vouched=None)], HELD, Verdict.PROTECTED),
        (DOOMED, [replace(copy("cold"), missed_at=NOW)], HELD, Verdict.PROTECTED),
        (DOOMED, [copy("warm")], GUARDED, Verdict.PROTECTED),
        (DOOMED, [copy("warm"), copy("hot")], GUARDED, Verdict.COLLECTED),
        # a lock of the store is honoured before the store has to refuse
        (replace(DOOMED, locked_until=SOON), [copy("cold")], NOBODY, Verdict.PROTECTED),
        (replace(DOOMED, locked_until=NOW), [], NOBODY, Verdict.COLLECTED),
        # deletions whose lease is over, and intents a while after theirs
        (replace(copy("hot", PlacementState.COPYING), lease_until=SOON), [], wanting("hot"), Verdict.NOT_RIPE),
        (copy("hot", PlacementState.COPYING), [], wanting("hot"), Verdict.NOT_RIPE),
        (replace(copy("hot", PlacementState.COPYING), lease_until=NOW - LATE), [], NOBODY, Verdict.STALE_INTENT),
        (replace(copy("hot", PlacementState.DELETING), lease_until=SOON), [], NOBODY, Verdict.NOT_RIPE),
        (copy("hot", PlacementState.DELETING), [], HELD, Verdict.REPEATED),
    ],
)
def test_verdicts(target: PlacementRow, others: list[PlacementRow], needs: Needs, verdict: Verdict) -> None:
    """A copy goes only when it is ripe, unwanted or redundant, not needed as a source, and not protected."""
    assert judge(target, [target, *others], needs, now=NOW, late=LATE) is verdict
