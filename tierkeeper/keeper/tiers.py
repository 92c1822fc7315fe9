"""Tiers: list, count their copies, adopt a place."""

from collections.abc import Sequence
from dataclasses import dataclass

from tierkeeper.base.callers import Caller
from tierkeeper.engine.context import Engine
from tierkeeper.engine.read import views
from tierkeeper.engine.trust import places
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.values.tiers import TierStats


@dataclass(frozen=True, slots=True)
class Tiers:
    """The resource ``keeper.tiers``."""

    engine: Engine

    def known(self) -> Sequence[TierInfo]:
        """Return the tiers, hottest first; no store is called before :attr:`TierInfo.locks` is read."""
        return self.engine.tiers

    def stats(self, *, tenant: str | None = None, exact: bool = False) -> list[TierStats]:
        """Return every tier's counts, hottest first: estimates in a large catalog, unless ``exact``, which scans."""
        return views.stats(self.engine, tenant=tenant, exact=exact)

    def take_over(self, tier: str, *, caller: Caller, reason: str, lost: bool) -> None:
        """Adopt a tier's place, whatever mark it has; ``lost``: even if none of the tier's copies is there."""
        places.take_over(self.engine, tier, caller=caller, reason=reason, lost=lost)
