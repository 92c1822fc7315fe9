"""Tiers: which there are, what lies in each, and to take one's place over."""

from dataclasses import dataclass

from tierkeeper.base.callers import Caller
from tierkeeper.engine.context import Engine
from tierkeeper.engine.read import views
from tierkeeper.engine.trust import marking
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.values.tiers import TierStats


@dataclass(frozen=True, slots=True)
class Tiers:
    """Part of :class:`tierkeeper.keeper.Keeper`."""

    engine: Engine

    def known(self) -> list[TierInfo]:
        """Return the tiers, hottest first; their stores are asked whether they can lock."""
        return self.engine.asked_tiers()

    def stats(self, *, tenant: str | None = None) -> list[TierStats]:
        """Return every tier's counts, hottest first."""
        return views.stats(self.engine, tenant=tenant)

    def adopt(self, tier: str, *, caller: Caller, reason: str, lost: bool) -> None:
        """Take a place over as this tier's, whatever mark it has; ``lost``: although none of its copies is there."""
        marking.adopt(self.engine, tier, caller=caller, reason=reason, lost=lost)
