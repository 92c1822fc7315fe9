"""The decision whether one copy may be deleted now (R11): pure, made under the blob's lock right before the delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.rows import ArtifactRow, PlacementRow
from tierkeeper.engine.copies import fates
from tierkeeper.engine.moment import Moment


class Verdict(Enum):
    """What becomes of a candidate; the values are the keys of a run's counts."""

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
        """Return True if the candidate's bytes are to be deleted."""
        return self in {Verdict.COLLECTED, Verdict.STALE_INTENT, Verdict.REPEATED}


@dataclass(frozen=True, slots=True)
class Needs:
    """What the artifacts of a blob need of it now: ``protected`` content keeps a copy whatever is wanted.

    ``guarded``: tiers of the policies' retention, in which protected content keeps its copy. If there is none,
    protected content keeps its last copy, in any tier.
    """

    wanted: frozenset[str]
    protected: bool
    guarded: frozenset[str]

    def added(self, row: ArtifactRow, moment: Moment) -> "Needs":
        """Add what one artifact wants, by its last commit and as decided now (R7), and what protects it."""
        decision, protections = moment.judged(row)
        wanted = self.wanted | row.wanted | decision.tiers if row.counted else self.wanted
        if not protections:
            return Needs(wanted, self.protected, self.guarded)
        retention = decision.policy.retention
        guarded = self.guarded if retention is None else self.guarded | retention.tiers
        return Needs(wanted, protected=True, guarded=guarded)


#: what no artifact needs
NOTHING = Needs(frozenset(), protected=False, guarded=frozenset())


def judge(
    copy: PlacementRow, others: Sequence[PlacementRow], needed: Needs, *, now: datetime, late: timedelta
) -> Verdict:
    """Decide about one copy; ``others``: the blob's copies that are not to be deleted, ``copy`` among them or not.

    ``late``: how long after the end of an intent's lease its write may still arrive.
    """
    if copy.lease_until is not None and copy.state is PlacementState.DELETING:
        # the delete was decided already, and the bytes may be gone
        return Verdict.REPEATED if copy.lease_until <= now else Verdict.NOT_RIPE
    if copy.lease_until is not None and copy.state is PlacementState.COPYING:
        # a call that timed out may still write an abandoned intent's bytes: wait for ``late`` on top of the lease
        return Verdict.STALE_INTENT if copy.lease_until + late <= now else Verdict.NOT_RIPE
    if copy.state is not PlacementState.DOOMED or copy.delete_after is None or copy.delete_after > now:
        return Verdict.NOT_RIPE
    tiers = {c.tier for c in others if c.id != copy.id and fates.good(c)}
    if copy.tier in needed.wanted and copy.tier not in tiers:
        return Verdict.WANTED
    if not needed.wanted <= tiers:
        return Verdict.INCOMPLETE
    locked = copy.locked_until is not None and copy.locked_until > now
    last = not tiers or (copy.tier in needed.guarded and copy.tier not in tiers)
    return Verdict.PROTECTED if locked or (needed.protected and last) else Verdict.COLLECTED
