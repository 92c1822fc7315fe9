"""Whether one copy may be deleted now: pure, asked under the blob's lock right before the delete (R11)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.copies import settlement
from tierkeeper.engine.moment import Moment


class Verdict(Enum):
    """What becomes of a candidate; the words are what runs count."""

    COLLECTED = "collected"
    STALE_INTENT = "stale intents"
    REPEATED = "repeated"
    NOT_RIPE = "kept: not ripe"
    WANTED = "kept: wanted"
    INCOMPLETE = "kept: not everything wanted is present"
    PROTECTED = "kept: protected"
    UNSEEN = "kept: what stays was not seen"
    AWAY = "left out: the tier's place is not its own"
    UNCONFIRMED = "left out: the tier did not tell whether its place is its own"

    @property
    def goes(self) -> bool:
        """Whether its bytes are deleted."""
        return self in {Verdict.COLLECTED, Verdict.STALE_INTENT, Verdict.REPEATED}


@dataclass(frozen=True, slots=True)
class Needs:
    """What the artifacts of a blob need of it now: ``protected`` content keeps a copy whatever is wanted.

    ``guarded`` are the tiers in which retention or a hold keeps it; empty: wherever the last copy is.
    """

    wanted: frozenset[str]
    protected: bool
    guarded: frozenset[str]


def needs(owners: Iterable[ArtifactRow], moment: Moment) -> Needs:
    """Add up what all artifacts of a blob want, as of their last commit and as decided now (R7), and protect."""
    wanted: set[str] = set()
    guarded: set[str] = set()
    protected = False
    for row in owners:
        decision = moment.decide(row)
        if row.counted:
            wanted |= row.wanted | decision.tiers
        if moment.protects(row):
            protected = True
            if decision.policy.retention is not None:
                guarded |= decision.policy.retention.tiers
    return Needs(frozenset(wanted), protected, frozenset(guarded))


def judge(
    copy: PlacementRow, others: Sequence[PlacementRow], needed: Needs, *, now: datetime, late: timedelta
) -> Verdict:
    """Decide about one copy; ``others`` are the blob's copies that are not going themselves (with it or without).

    ``late``: how long after its lease an intent's write may still arrive.
    """
    if copy.lease_until is not None and copy.state is PlacementState.DELETING:
        # decided once already, and its bytes may be gone
        return Verdict.REPEATED if copy.lease_until <= now else Verdict.NOT_RIPE
    if copy.lease_until is not None and copy.state is PlacementState.COPYING:
        # an intent that was given up may still be written by a call that timed out: it gets a while longer
        return Verdict.STALE_INTENT if copy.lease_until + late <= now else Verdict.NOT_RIPE
    if copy.state is not PlacementState.DOOMED or copy.delete_after is None or copy.delete_after > now:
        return Verdict.NOT_RIPE
    tiers = {c.tier for c in others if c.id != copy.id and settlement.good(c)}
    if copy.tier in needed.wanted and copy.tier not in tiers:
        return Verdict.WANTED
    if not needed.wanted <= tiers:
        return Verdict.INCOMPLETE
    locked = copy.locked_until is not None and copy.locked_until > now
    last = not tiers or (copy.tier in needed.guarded and copy.tier not in tiers)
    return Verdict.PROTECTED if locked or (needed.protected and last) else Verdict.COLLECTED
